// SPDX-License-Identifier: Apache-2.0
#include "kernel/transfer.h"

#include <linux/openat2.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>

#include "kernel/files.h"

namespace zokio::sim {
namespace {

constexpr uint8_t kTruncate = 55;  // newer than the headers

const char* text_at(uint64_t address) {
  return reinterpret_cast<const char*>(address);
}

}  // namespace

bool knows(uint8_t opcode) {
  switch (opcode) {
    case IORING_OP_NOP:
    case IORING_OP_READ:
    case IORING_OP_READ_FIXED:
    case IORING_OP_WRITE:
    case IORING_OP_WRITE_FIXED:
    case IORING_OP_RECV:
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC:
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
    case IORING_OP_SENDMSG:
    case IORING_OP_SENDMSG_ZC:
    case IORING_OP_RECVMSG:
    case IORING_OP_ACCEPT:
    case IORING_OP_POLL_ADD:
    case IORING_OP_CONNECT:
    case IORING_OP_CLOSE:
    case IORING_OP_FSYNC:
    case IORING_OP_FALLOCATE:
    case IORING_OP_OPENAT2:
    case IORING_OP_STATX:
    case IORING_OP_RENAMEAT:
    case IORING_OP_UNLINKAT:
    case IORING_OP_MKDIRAT:
    case IORING_OP_LINKAT:
    case IORING_OP_ASYNC_CANCEL:
    case kTruncate:
      return true;
    default:
      return false;
  }
}

bool is_by_name(uint8_t opcode) {
  switch (opcode) {
    case IORING_OP_NOP:
    case IORING_OP_OPENAT2:
    case IORING_OP_STATX:
    case IORING_OP_RENAMEAT:
    case IORING_OP_UNLINKAT:
    case IORING_OP_MKDIRAT:
    case IORING_OP_LINKAT:
      return true;
    default:
      return false;
  }
}

bool may_wait(const io_uring_sqe& entry) {
  switch (entry.opcode) {
    case IORING_OP_RECV:
    case IORING_OP_SEND:
    case IORING_OP_RECVMSG:
    case IORING_OP_SENDMSG:
    case IORING_OP_ACCEPT:
      return true;
    default:
      return false;
  }
}

bool ends_by_eagain(const io_uring_sqe& entry, const Object* object) {
  switch (entry.opcode) {
    case IORING_OP_READ:
    case IORING_OP_READV:
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV:
    case IORING_OP_READ_FIXED:
    case IORING_OP_WRITE_FIXED:
      return object == nullptr || object->is_file() || object->nonblocking;
    case IORING_OP_RECVMSG:
    case IORING_OP_SENDMSG:
    case IORING_OP_RECV:
    case IORING_OP_SEND:
      return (entry.msg_flags & MSG_DONTWAIT) != 0;
    case IORING_OP_SPLICE:
      return true;
    case IORING_OP_ACCEPT:
    case IORING_OP_CONNECT:
    case IORING_OP_POLL_ADD:
      return false;
    default:
      return true;
  }
}

int64_t read_vector(Object& object, const iovec* vector, std::size_t count, int64_t offset) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) bytes += vector[i].iov_len;
  std::string all(bytes, '\0');
  const int64_t n = object.read(all.data(), bytes, offset);
  std::size_t at = 0;
  for (std::size_t i = 0; i < count && n > 0 && at < static_cast<std::size_t>(n); ++i) {
    const std::size_t part = std::min(vector[i].iov_len, static_cast<std::size_t>(n) - at);
    std::memcpy(vector[i].iov_base, all.data() + at, part);
    at += part;
  }
  return n;
}

int64_t write_vector(Object& object, const iovec* vector, std::size_t count, int64_t offset) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i)
    all.append(static_cast<const char*>(vector[i].iov_base), vector[i].iov_len);
  return object.write(all.data(), all.size(), offset);
}

std::string address_text(const void* address, std::size_t size) {
  return {static_cast<const char*>(address), size};
}

int64_t carry_out(Kernel& kernel, const io_uring_sqe& entry, Object* object) {
  const auto offset = static_cast<int64_t>(entry.off);
  char* const data = reinterpret_cast<char*>(entry.addr);
  const auto* message = reinterpret_cast<const msghdr*>(entry.addr);
  auto* file = dynamic_cast<FileObject*>(object);
  auto* stream = dynamic_cast<StreamObject*>(object);
  switch (entry.opcode) {
    case IORING_OP_READ:
    case IORING_OP_READ_FIXED:
      return object->read(data, entry.len, offset);
    case IORING_OP_WRITE:
    case IORING_OP_WRITE_FIXED:
      return object->write(data, entry.len, offset);
    case IORING_OP_RECV:
      return object->read(data, entry.len, kNoOffset);
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC:
      return object->write(data, entry.len, kNoOffset);
    case IORING_OP_READV:
      return read_vector(*object, reinterpret_cast<const iovec*>(data), entry.len, offset);
    case IORING_OP_WRITEV:
      return write_vector(*object, reinterpret_cast<const iovec*>(data), entry.len, offset);
    case IORING_OP_SENDMSG:
    case IORING_OP_SENDMSG_ZC:
      return write_vector(*object, message->msg_iov, message->msg_iovlen, kNoOffset);
    case IORING_OP_RECVMSG:
      return read_vector(*object, message->msg_iov, message->msg_iovlen, kNoOffset);
    case IORING_OP_ACCEPT:
      return object->accept();
    case IORING_OP_POLL_ADD: {
      const uint32_t ready = object->poll() & (entry.poll32_events | POLLERR | POLLHUP);
      return ready != 0 ? static_cast<int64_t>(ready) : -EAGAIN;
    }
    case IORING_OP_CONNECT: {
      if (stream == nullptr) return -ENOTSOCK;
      const int64_t begun = stream->begin_connect(address_text(data, entry.off));
      if (begun == -EINPROGRESS || begun == -EALREADY) return -EAGAIN;
      const int error = stream->take_error();
      return begun == -EISCONN || error != 0 ? -error : begun;
    }
    case IORING_OP_CLOSE:
      return kernel.close(entry.fd);
    case IORING_OP_FSYNC:
      return file != nullptr ? file->sync() : -EINVAL;
    case IORING_OP_FALLOCATE:
      return file != nullptr ? file->allocate(static_cast<int>(entry.len), offset,
                                              static_cast<int64_t>(entry.addr))
                             : -EINVAL;
    case kTruncate:
      return file != nullptr ? file->truncate(offset) : -EINVAL;
    case IORING_OP_OPENAT2: {
      const auto* how = reinterpret_cast<const open_how*>(entry.off);
      return open_file(kernel, entry.fd, data, how->flags, static_cast<unsigned>(how->mode));
    }
    case IORING_OP_STATX:
      return stat_file(kernel, entry.fd, data, reinterpret_cast<struct statx*>(entry.off));
    case IORING_OP_RENAMEAT:
      return rename_file(kernel, entry.fd, data, static_cast<int>(entry.len), text_at(entry.off),
                         entry.rename_flags);
    case IORING_OP_UNLINKAT:
      return unlink_file(kernel, entry.fd, data, static_cast<int>(entry.unlink_flags));
    case IORING_OP_MKDIRAT:
      return make_directory(kernel, entry.fd, data, entry.len);
    case IORING_OP_LINKAT:
      return link_file(kernel, entry.fd, data, static_cast<int>(entry.len), text_at(entry.off));
    default:
      return -EINVAL;
  }
}

std::string bytes_of(const io_uring_sqe& entry) {
  const char* data = text_at(entry.addr);
  if (entry.opcode != IORING_OP_SENDMSG_ZC) return {data, entry.len};
  std::string all;
  const auto* message = reinterpret_cast<const msghdr*>(data);
  for (std::size_t i = 0; i < message->msg_iovlen; ++i)
    all.append(static_cast<const char*>(message->msg_iov[i].iov_base), message->msg_iov[i].iov_len);
  return all;
}

bool touches(const io_uring_sqe& entry, const char* data, std::size_t bytes) {
  const auto within = [&](const void* start, std::size_t length) {
    const char* begin = static_cast<const char*>(start);
    return begin < data + bytes && data < begin + length;
  };
  const char* start = text_at(entry.addr);
  switch (entry.opcode) {
    case IORING_OP_READ:
    case IORING_OP_WRITE:
    case IORING_OP_READ_FIXED:
    case IORING_OP_WRITE_FIXED:
    case IORING_OP_RECV:
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC:
      return (entry.flags & IOSQE_BUFFER_SELECT) == 0 && within(start, entry.len);
    case IORING_OP_READV:
    case IORING_OP_WRITEV: {
      const auto* vector = reinterpret_cast<const iovec*>(start);
      return std::any_of(vector, vector + entry.len,
                         [&](const iovec& part) { return within(part.iov_base, part.iov_len); });
    }
    case IORING_OP_SENDMSG:
    case IORING_OP_SENDMSG_ZC:
    case IORING_OP_RECVMSG: {
      const auto* message = reinterpret_cast<const msghdr*>(start);
      return std::any_of(message->msg_iov, message->msg_iov + message->msg_iovlen,
                         [&](const iovec& part) { return within(part.iov_base, part.iov_len); });
    }
    default:
      return false;
  }
}

}  // namespace zokio::sim
