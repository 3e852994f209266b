# SPDX-License-Identifier: Apache-2.0
"""The checked tree: its files, and C++ text with comments and strings blanked out.

Standard library only, so that it runs wherever Python 3.11 does. The tree is walked rather than
asked of git: a source archive is checked like a checkout.
"""

import re
from dataclasses import dataclass
from pathlib import Path

SKIPPED_FOLDERS = {".git", ".cache", "build", "node_modules", "__pycache__", "canary"}
CPP = {".h", ".cpp"}


@dataclass(frozen=True, order=True)
class Violation:
    path: str
    line: int
    rule: str
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: [{self.rule}] {self.text}"


class Tree:
    def __init__(self, root):
        self.root = Path(root).resolve()
        self.files = sorted(self._walk(self.root))
        self._text = {}
        self._code = {}

    def _walk(self, folder):
        for entry in sorted(folder.iterdir()):
            # Files too: in a second work tree .git is one.
            if entry.is_symlink() or entry.name in SKIPPED_FOLDERS:
                continue
            if entry.is_dir():
                yield from self._walk(entry)
            elif entry.is_file():
                yield entry.relative_to(self.root).as_posix()

    def exists(self, path):
        return (self.root / path).exists()

    def text(self, path):
        if path not in self._text:
            self._text[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self._text[path]

    def code(self, path):
        """The text with comments and literals replaced by blanks of the same length."""
        if path not in self._code:
            self._code[path] = blank(self.text(path))
        return self._code[path]

    def under(self, *prefixes, suffixes=None):
        for path in self.files:
            if path.startswith(prefixes) and (suffixes is None or Path(path).suffix in suffixes):
                yield path


_TOKEN = re.compile(
    r'R"(?P<tag>[^()\\\s]{0,16})\((?:.|\n)*?\)(?P=tag)"'  # raw string
    r'|//[^\n]*'
    r'|/\*(?:.|\n)*?\*/'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'"  # not the separator of 1'000
)


def blank(source):
    return _TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), source)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def matching(code, start):
    """Offset just after the bracket that closes the one at `start`; None if it never closes."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    stack = []
    for i in range(start, len(code)):
        c = code[i]
        if c in pairs:
            stack.append(pairs[c])
        elif c in ")]}":
            if not stack or stack.pop() != c:
                return None
            if not stack:
                return i + 1
    return None
