#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the compiler makes of the inline entries of the heap, on x86-64.

Each entry is compiled as a function of its own. From its first instruction to its first return it
has to be the case of a hit: no call, nothing locked, no jump but those that leave for the slow
case, and no more instructions than are listed here. --print shows the instructions, as
tests/bench/mem/README.md has them.
"""

import argparse
import re
import subprocess
import sys

SOURCE = """
#include "zokio/mem/allocate.h"
#include "zokio/mem/frame.h"
using namespace zokio::mem;
extern "C" {
void* allocate_64() { return allocate<64>(); }
void deallocate_64(void* p) { deallocate<64>(p); }
void* allocate_any(std::size_t bytes) { return allocate(bytes); }
void deallocate_sized(void* p, std::size_t bytes) { deallocate(p, bytes); }
void deallocate_any(void* p) { deallocate(p); }
void* frame_64() { return allocate_frame(64); }
}
"""

# Instructions up to and with the return.
MOST = {
    "allocate_64": 9,
    "deallocate_64": 15,
    "allocate_any": 18,
    "deallocate_sized": 26,
    "deallocate_any": 29,
    "frame_64": 9,
}


def assembly(compiler, include):
    command = [compiler, "-std=c++23", "-O2", "-fomit-frame-pointer", "-S", "-x", "c++", "-I", include]
    # Of the code generators only the usual one is looked at.
    command += ["-fno-asynchronous-unwind-tables", "-o", "-", "-"]
    return subprocess.run(command, input=SOURCE, capture_output=True, text=True, check=True).stdout


def hit(text, name):
    """The instructions of `name` up to its first return."""
    body = text[re.search(rf"^{name}:", text, re.MULTILINE).end():]
    out = []
    for line in body.splitlines():
        line = line.split("#")[0].strip().replace("\t", " ")
        if not line or line.endswith(":") or line.startswith("."):
            continue
        out.append(line)
        if line.startswith("ret"):
            return out
    raise ValueError(f"{name} does not return")


def faults(name, code):
    if len(code) > MOST[name]:
        yield f"{len(code)} instructions, at most {MOST[name]}"
    for line in code:
        if re.match(r"(call|jmp|lock|xchg|mfence)", line):
            yield f"'{line}' on the way of a hit"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("compiler")
    parser.add_argument("include")
    parser.add_argument("--print", action="store_true")
    options = parser.parse_args()
    text = assembly(options.compiler, options.include)
    wrong = 0
    for name in MOST:
        code = hit(text, name)
        found = list(faults(name, code))
        wrong += len(found)
        if options.print or found:
            print(f"{name}: {len(code)} instructions")
            print("".join(f"    {line}\n" for line in code))
        for fault in found:
            print(f"{name}: {fault}", file=sys.stderr)
    print(f"fast_path: {len(MOST)} entries, {wrong} fault(s)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
