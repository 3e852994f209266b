# SPDX-License-Identifier: Apache-2.0
"""Rules about our C++: what compiles and is wrong, or is right only by luck."""

import re

from tree import CPP, Violation, line_of, matching

COROUTINE_WORD = re.compile(r"\bco_(await|return|yield)\b")
CONDITION = re.compile(r"\b(if|while|switch)\s*(?:constexpr\s*)?\(")
FOR = re.compile(r"\bfor\s*\(")
FENCE = re.compile(r"\batomic_thread_fence\b")
# zokio's own sleep_for and sleep_until suspend a task, so only those of a thread count.
SLEEP = re.compile(r"\b(this_thread::sleep_for|this_thread::sleep_until|usleep|nanosleep|clock_nanosleep)\s*\(")
OUR_CODE = ("runtime/", "daemon/", "ctl/", "tests/")


def lambdas(code):
    """(offset, captures, body_start, body_end) of each lambda; code has no comments or literals."""
    for m in re.finditer(r"\[", code):
        start = m.start()
        before = code[:start].rstrip()
        last = before[-1:]
        # A bracket after a name, a closing bracket or another bracket is a subscript or an attribute.
        if last in ")]" or code[start:start + 2] == "[[" or last == "[":
            continue
        if last.isalnum() or last == "_":
            word = re.search(r"\w+$", before).group(0)
            if word not in {"return", "co_return", "co_await", "co_yield", "case"}:
                continue
        end = matching(code, start)
        if end is None:
            continue
        at = end
        while True:
            rest = code[at:]
            skip = re.match(
                r"\s+|->\s*[\w:<>,\s&*]+?(?=\s*\{)|mutable\b|constexpr\b|noexcept\b|static\b|requires\b[^{]*|"
                r"<[^{};]*?>(?=\s*\()", rest)
            if rest[:1] == "(":
                at = matching(code, at)
                if at is None:
                    break
            elif skip and skip.end() > 0:
                at += skip.end()
            else:
                break
        if at is None or code[at:at + 1] != "{":
            continue
        close = matching(code, at)
        if close is not None:
            yield start, code[start + 1:end - 1].strip(), at, close


def check_lambdas(path, code):
    found = list(lambdas(code))
    for start, captures, body, close in found:
        if not captures:
            continue
        own = list(code[body:close])
        for other, _, inner, inner_close in found:
            if body < other < close:
                own[inner - body:inner_close - body] = " " * (inner_close - inner)
        if COROUTINE_WORD.search("".join(own)):
            yield Violation(path, line_of(code, start), "capturing-coroutine",
                            "a lambda with captures is a coroutine: its captures die at the first suspension")


def check_conditions(path, code):
    for m in CONDITION.finditer(code):
        end = matching(code, m.end() - 1)
        if end and re.search(r"\bco_await\b", _outside_braces(code[m.end():end - 1])):
            yield Violation(path, line_of(code, m.start()), "await-in-condition",
                            f"co_await in the condition of '{m.group(1)}': name the result first")
    for m in FOR.finditer(code):
        end = matching(code, m.end() - 1)
        parts = code[m.end():end - 1].split(";") if end else []
        if len(parts) == 3 and re.search(r"\bco_await\b", parts[1]):
            yield Violation(path, line_of(code, m.start()), "await-in-condition",
                            "co_await in the condition of 'for': name the result first")


def _outside_braces(text):
    """A condition may hold a lambda; what that lambda awaits is its own affair."""
    depth, out = 0, []
    for c in text:
        depth += c == "{"
        out.append(c if depth == 0 else " ")
        depth -= c == "}"
    return "".join(out)


def check(tree):
    for path in tree.under(*OUR_CODE, suffixes=CPP):
        code = tree.code(path)
        yield from check_lambdas(path, code)
        yield from check_conditions(path, code)
        for m in FENCE.finditer(code):
            yield Violation(path, line_of(code, m.start()), "fence",
                            "fences are reasoned about in one file only; use the ordering of an operation")
        if path.startswith(("runtime/", "daemon/")):
            for m in SLEEP.finditer(code):
                yield Violation(path, line_of(code, m.start()), "sleep-polling",
                                f"{m.group(1)} blocks a thread: wait for an event, with a deadline")
