# SPDX-License-Identifier: Apache-2.0
"""The verb law: a method of the API exists at every end, under a name that can be guessed.

verbs.toml names, for each rpc, the zokioctl command that offers it and the test that proves it.
"""

import re
import tomllib

from tree import CPP, Violation, line_of

SERVICE = re.compile(r"\bservice\s+(\w+)\s*\{")
RPC = re.compile(r"\brpc\s+(\w+)\s*\(")
TABLE = "tests/tidy/verbs.toml"


def methods(tree):
    for path in tree.under("proto/zokio/"):
        if path.endswith(".proto"):
            text = re.sub(r"//[^\n]*", lambda m: " " * len(m.group(0)), tree.text(path))
            for m in RPC.finditer(text):
                service = [s.group(1) for s in SERVICE.finditer(text, 0, m.start())]
                yield path, line_of(text, m.start()), service[-1] if service else "?", m.group(1)


def check(tree):
    found = list(methods(tree))
    if not found:
        return
    table = tomllib.loads(tree.text(TABLE)) if tree.exists(TABLE) else {}
    handlers = {p: tree.code(p) for p in tree.under("daemon/rpc/", suffixes=CPP)}
    for path, line, service, method in found:
        name = f"{service}.{method}"
        if not any(re.search(rf"\b{method}\s*\(", code) for code in handlers.values()):
            yield Violation(path, line, "verb-law", f"{name} has no handler in daemon/rpc")
        row = table.get(service, {}).get(method)
        if row is None:
            yield Violation(path, line, "verb-law", f"{name} has no row in {TABLE}")
            continue
        for end in ("ctl", "test"):
            place = row.get(end)
            if place is None:
                if not row.get(f"no_{end}"):
                    yield Violation(TABLE, 1, "verb-law", f"{name}: neither '{end}' nor the reason 'no_{end}'")
            elif not tree.exists(place):
                yield Violation(TABLE, 1, "verb-law", f"{name}: {place} does not exist")
            elif not re.search(rf"\b{method}\b", tree.text(place)):
                yield Violation(TABLE, 1, "verb-law", f"{name}: {place} does not mention {method}")
    known = {(s, m) for _, _, s, m in found}
    for service, rows in table.items():
        for method in rows:
            if (service, method) not in known:
                yield Violation(TABLE, 1, "verb-law", f"{service}.{method} is in no .proto file")
