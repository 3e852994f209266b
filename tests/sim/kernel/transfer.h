// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the entries of a ring ask for.

#include <liburing.h>

#include <cstdint>
#include <string>

#include "kernel/object.h"

namespace zokio::sim {

// Whether it is one of those below.
bool knows(uint8_t opcode);
// The object is found by its path, or by more than one descriptor.
bool is_by_name(uint8_t opcode);
// It waits until it can be done, and is not a file's.
bool may_wait(const io_uring_sqe& entry);
// -EAGAIN is its result; otherwise it waits.
bool ends_by_eagain(const io_uring_sqe& entry, const Object* object);
// Does it once. -EAGAIN: it would have to wait.
int64_t carry_out(Kernel& kernel, const io_uring_sqe& entry, Object* object);
// The bytes that a send is about.
std::string bytes_of(const io_uring_sqe& entry);
// Whether it reads or writes memory in this range.
bool touches(const io_uring_sqe& entry, const char* data, std::size_t bytes);

// Scattered transfers.
int64_t read_vector(Object& object, const iovec* vector, std::size_t count, int64_t offset);
int64_t write_vector(Object& object, const iovec* vector, std::size_t count, int64_t offset);
// Of a socket: a number in the table, or an error.
std::string address_text(const void* address, std::size_t size);

}  // namespace zokio::sim
