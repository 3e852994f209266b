# SPDX-License-Identifier: Apache-2.0
"""Holds the include graph and the build's link lists against layers.toml."""

import re
import tomllib
from pathlib import PurePosixPath

from tree import CPP, Violation, line_of

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
CMAKE_MODULE = re.compile(r"\b(zokio_module|zokiod_module)\s*\(\s*(\w+)([^)]*)\)")
CMAKE_KEYWORDS = {"SOURCES", "MAY_INCLUDE", "LIBRARIES"}
CONSTANTS = {"limits.h", "version.h"}  # only numbers, so every layer may read them
GENERATED = re.compile(r"^zokio/v\d+/\w+(\.grpc)?\.pb\.h$")


def load(path):
    with open(path, "rb") as f:
        return tomllib.load(f)


def module_of(path):
    """(tree, module) of a source file; None for what has no layer (ctl, tests, generated)."""
    parts = PurePosixPath(path).parts
    if path.startswith("runtime/include/zokio/"):
        if len(parts) > 4:
            return ("runtime", parts[3])
        return ("runtime", "base" if parts[3] in CONSTANTS else "rt")
    if path.startswith("runtime/src/"):
        return ("runtime", parts[2])
    if path.startswith("daemon/"):
        return ("daemon", parts[1] if len(parts) > 2 else "root")
    if path.startswith("ctl/"):
        return ("ctl", "ctl")
    return None


def resolve(tree, path, name, quoted):
    """The file of this tree that an include means, or None: another project's or generated."""
    folder = PurePosixPath(path).parent.as_posix()
    top = path.split("/", 1)[0]
    places = [folder] if quoted else []
    places += ["runtime/include"]
    places += {"runtime": ["runtime/src"], "daemon": ["daemon"], "ctl": ["ctl", "."]}.get(top, [])
    for place in places:
        candidate = PurePosixPath(place, name)
        normal = _normalise(candidate)
        if normal in tree.file_set:
            return normal
        if normal + ".in" in tree.file_set:  # configured into the build tree
            return normal + ".in"
    return None


def _normalise(path):
    out = []
    for part in path.parts:
        if part == "..":
            if out:
                out.pop()
        elif part != ".":
            out.append(part)
    return "/".join(out)


def check_table(tables):
    for name in ("runtime", "daemon"):
        table = tables[name]
        for module, allowed in table.items():
            for other in allowed:
                if other not in table:
                    yield Violation("tests/tidy/layers.toml", 1, "layers", f"{name}.{module}: no module '{other}'")
        done = set()
        rest = dict(table)
        while rest:
            ready = [m for m, allowed in rest.items() if all(a in done or a not in table for a in allowed)]
            if not ready:
                yield Violation("tests/tidy/layers.toml", 1, "layers", f"{name}: cycle among {sorted(rest)}")
                break
            done.update(ready)
            for m in ready:
                del rest[m]


def check_external(tables, path, line, name):
    for library, rule in tables["external"].items():
        if name.startswith(tuple(rule["headers"])) and (library != "grpc" or not name.startswith("zokio/") or GENERATED.match(name)):
            if not path.startswith(tuple(rule["places"])):
                yield Violation(path, line, "external",
                                f"<{name}> ({library}) may be included only in {', '.join(rule['places'])}")


def check_edge(tables, path, line, target):
    here, there = module_of(path), module_of(target)
    if here is None or there is None or here == there:
        return
    public = target.startswith("runtime/include/")
    if here[0] == "runtime":
        if there[0] != "runtime":
            yield Violation(path, line, "layers", f"the runtime includes {target}")
            return
    elif there[0] == "runtime":
        if not public:
            yield Violation(path, line, "layers", f"{target} is private to the runtime")
        return
    elif here[0] == "ctl" or there[0] == "ctl":
        yield Violation(path, line, "layers", f"ctl and daemon share only proto and the runtime: {target}")
        return
    table = tables[here[0]]
    if here[1] not in table:
        yield Violation(path, line, "layers", f"module '{here[0]}/{here[1]}' has no row in layers.toml")
    elif there[1] not in table[here[1]]:
        yield Violation(path, line, "layers", f"{here[1]} may not include {there[1]} ({target})")


def check_includes(tree, tables):
    graph = {}
    for path in tree.under("runtime/", "daemon/", "ctl/", suffixes=CPP):
        text = tree.text(path)
        graph[path] = []
        for m in INCLUDE.finditer(text):
            line, name = line_of(text, m.start()), m.group(2)
            quoted = m.group(1) == '"'
            target = resolve(tree, path, name, quoted)
            if target is not None:
                graph[path].append((target, line))
                yield from check_edge(tables, path, line, target)
            else:
                yield from check_external(tables, path, line, name)
                if quoted and not GENERATED.match(name) and not name.endswith(".inc"):
                    yield Violation(path, line, "layers", f'"{name}" is no file of this tree; other projects are <...>')
    yield from check_cycles(graph)


def check_cycles(graph):
    state = {}  # 1: on the path, 2: done

    def visit(path, trail):
        state[path] = 1
        for target, line in graph.get(path, []):
            if state.get(target) == 1:
                loop = trail[trail.index(target):] if target in trail else [path]
                yield Violation(path, line, "cycle", " -> ".join([*loop, target]))
            elif target not in state:
                yield from visit(target, [*trail, target])
        state[path] = 2

    for path in graph:
        if path not in state:
            yield from visit(path, [path])


def check_cmake(tree, tables):
    """A link list wider than the table would let an include pass the compiler that fails here."""
    for path in tree.under("runtime/", "daemon/"):
        if not path.endswith("CMakeLists.txt"):
            continue
        text = tree.text(path)
        for m in CMAKE_MODULE.finditer(re.sub(r"#[^\n]*", lambda c: " " * len(c.group(0)), text)):
            name = "runtime" if m.group(1) == "zokio_module" else "daemon"
            module, section, listed = m.group(2), None, []
            for word in m.group(3).split():
                if word in CMAKE_KEYWORDS:
                    section = word
                elif section == "MAY_INCLUDE":
                    listed.append(word)
            row = tables[name].get(module)
            line = line_of(text, m.start())
            if row is None:
                yield Violation(path, line, "layers", f"module '{module}' has no row in layers.toml")
                continue
            for other in listed:
                if other not in row:
                    yield Violation(path, line, "layers", f"{module} links {other}, which its row does not name")


def check(tree, tables):
    tree.file_set = set(tree.files)
    yield from check_table(tables)
    yield from check_includes(tree, tables)
    yield from check_cmake(tree, tables)
