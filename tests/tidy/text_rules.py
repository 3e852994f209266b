# SPDX-License-Identifier: Apache-2.0
"""Rules about every file: licence line, documents that name real files, no traces of one machine."""

import re
from pathlib import PurePosixPath

from tree import Violation, line_of

NEEDS_SPDX = {".h", ".cpp", ".py", ".sh", ".proto", ".cmake", ".toml", ".service", ".socket", ".yaml",
              ".yml", ".js", ".mjs", ".html", ".S"}
NEEDS_SPDX_NAMES = {"CMakeLists.txt", "Dockerfile", "dev", "run"}
TEXT_ONLY = NEEDS_SPDX | {".md", ".json", ".txt", ".in", ".sysusers", ".tmpfiles", ""}

# A path under somebody's home or a scratch tree works on one machine only.
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:work|home|Users|workspace|mnt/data|tmp/zk)/[\w.-]+")
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

TREES = ("runtime", "proto", "daemon", "ctl", "deploy", "dashboards", "tests")
# Folders that only carry structure need no row of their own.
STRUCTURE = {"src", "include", "zokio", "docs"}

QUOTED = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
PATH = re.compile(r"^[\w.-]+(?:/[\w.-]+)+/?$")


def check_spdx(tree):
    for path in tree.files:
        name = PurePosixPath(path)
        if name.suffix in NEEDS_SPDX or name.name in NEEDS_SPDX_NAMES:
            head = "\n".join(tree.text(path).splitlines()[:3])
            if "SPDX-License-Identifier: Apache-2.0" not in head:
                yield Violation(path, 1, "spdx", "the first three lines carry no SPDX-License-Identifier: Apache-2.0")


def check_marks(tree):
    for path in tree.files:
        if PurePosixPath(path).suffix not in TEXT_ONLY or path.startswith("tests/tidy/"):
            continue
        text = tree.text(path)
        for m in MACHINE_PATH.finditer(text):
            yield Violation(path, line_of(text, m.start()), "machine-path", f"{m.group(0)} exists on one machine")
        for m in MARKS.finditer(text):
            yield Violation(path, line_of(text, m.start()), "mark", f"{m.group(1)}: do it, or describe the limit")


def check_rows(tree):
    """Every folder is named in its tree's README, so that a reader learns what it is for."""
    for top in TREES:
        folders = set()
        for path in tree.under(top + "/"):
            for folder in PurePosixPath(path).parents:
                if folder.as_posix() not in (".", top):
                    folders.add(folder.as_posix())
        if not folders:
            continue
        # deploy has one README for each way of deploying; the top README names those.
        readmes = [f"{top}/README.md"] if tree.exists(f"{top}/README.md") else []
        if not readmes and top != "deploy":
            yield Violation(f"{top}/README.md", 1, "folder-row", "missing")
            continue
        text = "\n".join(tree.text(r) for r in readmes or ["README.md"] if tree.exists(r))
        for folder in sorted(folders):
            name = PurePosixPath(folder).name
            if f"{PurePosixPath(folder).parent.name}/<" in text:
                continue  # one row for all of them: unit/<module>
            if name not in STRUCTURE and not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
                yield Violation(folder, 1, "folder-row", f"{(readmes or ['README.md'])[0]} has no row for {folder}")


def check_document_paths(tree):
    for path in tree.files:
        if not path.endswith(".md"):
            continue
        folder = PurePosixPath(path).parent
        text = tree.text(path)
        for m in QUOTED.finditer(text):
            quoted = m.group(1)
            file, _, function = quoted.partition(": ")
            file = re.sub(r":\d+$", "", file)
            if not PATH.match(file) or not _claims_to_be_ours(file):
                continue
            places = [p for p in (file, (folder / file).as_posix()) if tree.exists(p)]
            if not places:
                yield Violation(path, line_of(text, m.start()), "document-path", f"`{file}` does not exist")
            elif function and tree.root.joinpath(places[0]).is_file():
                word = re.split(r"[^\w~]+", function.split("::")[-1].strip("~ "))[0]
                if word and not re.search(rf"\b{re.escape(word)}\b", tree.text(places[0])):
                    yield Violation(path, line_of(text, m.start()), "document-path",
                                    f"{places[0]} has no `{function}`")
        for m in LINK.finditer(text):
            target = m.group(1)
            if "://" in target or target.startswith(("mailto:", "/")):
                continue
            if not tree.root.joinpath(folder.as_posix(), target).exists():
                yield Violation(path, line_of(text, m.start()), "document-path", f"link to {target}, which does not exist")


def _claims_to_be_ours(file):
    return file.split("/", 1)[0] in TREES + (".ci",)


def check(tree):
    yield from check_spdx(tree)
    yield from check_marks(tree)
    yield from check_rows(tree)
    yield from check_document_paths(tree)
