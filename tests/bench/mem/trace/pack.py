#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a trace to keep of what record.cpp wrote: pack.py RAW OUT.trace.xz [--skip N] [--ops N].

A trace is a list of numbers of seven bits to a byte, the lowest first, the top bit set when more
follow. An even number 2n allocates n bytes; an odd one 2s+1 frees the block in place s. The block
that is allocated goes to the place that was freed last, or to a new one: so no place is written
down. Only what was allocated within the trace is freed in it. The file is compressed with xz.
"""

import argparse
import lzma
import struct
from pathlib import Path


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return out


def operations(raw, skip, most):
    """Numbers of a trace, from the records behind the first `skip`."""
    places, free, places_made, count = {}, [], 0, 0
    for index, (address, size) in enumerate(struct.iter_unpack("<QQ", raw)):
        if address == 0 or count == most:
            return
        if index < skip:
            continue
        if size == 0:
            place = places.pop(address, None)
            if place is None:
                continue
            free.append(place)
            yield 2 * place + 1
        else:
            if free:
                places[address] = free.pop()
            else:
                places[address] = places_made
                places_made += 1
            yield 2 * size
        count += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--ops", type=int, default=200_000)
    arguments = parser.parse_args()
    packed, count = bytearray(), 0
    for number in operations(arguments.raw.read_bytes(), arguments.skip, arguments.ops):
        packed += varint(number)
        count += 1
    arguments.out.write_bytes(lzma.compress(bytes(packed), preset=9 | lzma.PRESET_EXTREME))
    print(f"{arguments.out}: {count} operations, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
