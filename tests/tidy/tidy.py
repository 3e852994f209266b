#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks facts about this tree that no compiler checks; taste is left to readers.

    tests/tidy/tidy.py [--root DIR]     prints `path:line: [rule] text`, exits 1 if there are any

An exception in exceptions.toml names rule, path and reason. One that excuses nothing is itself
a violation, and `at_most` bounds their number, so the list only shrinks.
"""

import argparse
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cpp_rules  # noqa: E402
import layers  # noqa: E402
import text_rules  # noqa: E402
import verbs  # noqa: E402
from tree import Tree, Violation  # noqa: E402

EXCEPTIONS = "tests/tidy/exceptions.toml"


def excuse(tree, violations):
    """Drops what exceptions.toml excuses; adds what is wrong with the exceptions themselves."""
    if not tree.exists(EXCEPTIONS):
        return violations
    table = tomllib.loads(tree.text(EXCEPTIONS))
    rows = table.get("exception", [])
    used = set()
    kept = []
    for v in violations:
        match = [i for i, row in enumerate(rows) if row["rule"] == v.rule and row["path"] == v.path]
        if match:
            used.update(match)
        else:
            kept.append(v)
    for i, row in enumerate(rows):
        if i not in used:
            kept.append(Violation(EXCEPTIONS, 1, "exceptions", f"{row['rule']} in {row['path']} excuses nothing"))
        if not row.get("reason"):
            kept.append(Violation(EXCEPTIONS, 1, "exceptions", f"{row['rule']} in {row['path']} has no reason"))
    if len(rows) != table.get("at_most", 0):
        kept.append(Violation(EXCEPTIONS, 1, "exceptions", f"at_most is not {len(rows)}, the number of exceptions"))
    return kept


def run(root):
    tree = Tree(root)
    tables = layers.load(Path(__file__).resolve().parent / "layers.toml")
    found = [*layers.check(tree, tables), *cpp_rules.check(tree), *text_rules.check(tree), *verbs.check(tree)]
    return sorted(set(excuse(tree, found)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=Path(__file__).resolve().parents[2], type=Path)
    violations = run(parser.parse_args().root)
    for v in violations:
        print(v)
    print(f"tidy: {len(violations)} violation(s)", file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
