// SPDX-License-Identifier: Apache-2.0
// A program that includes the allocator: with the library of its mode it links, with another not.

#include "zokio/mem/frame.h"

int main() {
  zokio::mem::free_frame(zokio::mem::allocate_frame(100), 100);
  return 0;
}
