#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that the checker catches each rule: canary/ breaks them all, in known lines."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cpp_rules  # noqa: E402
import layers  # noqa: E402
import tidy  # noqa: E402
from tree import blank  # noqa: E402

HERE = Path(__file__).resolve().parent


class Canary(unittest.TestCase):
    def test_every_violation_is_found_and_nothing_else(self):
        found = sorted(f"{v.path}:{v.line} {v.rule}" for v in tidy.run(HERE / "canary"))
        expected = sorted((HERE / "canary" / "expected.txt").read_text().split("\n")[:-1])
        self.assertEqual(expected, found)

    def test_every_rule_has_a_canary(self):
        expected = {line.split()[1] for line in (HERE / "canary" / "expected.txt").read_text().splitlines()}
        self.assertEqual({"layers", "cycle", "external", "capturing-coroutine", "await-in-condition", "fence",
                          "sleep-polling", "spdx", "mark", "machine-path", "folder-row", "document-path",
                          "verb-law", "exceptions"}, expected)

    def test_a_cycle_in_the_table_is_found(self):
        tables = {"runtime": {"a": ["b"], "b": ["a"]}, "daemon": {"c": ["nowhere"]}}
        texts = [v.text for v in layers.check_table(tables)]
        self.assertTrue(any("cycle" in t for t in texts), texts)
        self.assertTrue(any("no module 'nowhere'" in t for t in texts), texts)

    def test_lambdas_in_all_their_forms(self):
        for source, bad in {
            "auto f = [x]() -> Task<Result<int>> { co_return x; };": True,
            "spawn([this] { co_await g(); });": True,
            "auto f = [&, y = std::move(z)](auto v) mutable noexcept -> Task<void> { co_await v; };": True,
            "return [=]<class T>(T v) -> Task<T> { co_return v; };": True,
            "auto f = [](int x) -> Task<int> { co_return x; };": False,
            "array[index] = {co_await g()};": False,
            "[[nodiscard]] Task<int> f() { co_return 1; }": False,
            "auto f = [x] { return [](int y) -> Task<int> { co_return y; }(x); };": False,
            "const char* s = \"[x] { co_return; }\"; int n = 1'000;": False,
        }.items():
            self.assertEqual(bad, bool(list(cpp_rules.check_lambdas("f.cpp", blank(source)))), source)


if __name__ == "__main__":
    unittest.main()
