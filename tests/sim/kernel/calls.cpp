// SPDX-License-Identifier: Apache-2.0
//
// The system calls of the runtime, sent here by the linker (--wrap): to the made-up kernel when
// there is one and the descriptor is its own, otherwise to the real one.

#include <fcntl.h>
#include <liburing.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>

#include "kernel/files.h"
#include "kernel/kernel.h"
#include "kernel/object.h"
#include "kernel/ring.h"
#include "kernel/transfer.h"
#include "zokio/task/context.h"

using namespace zokio::sim;

namespace {

template <class T = int>
T outcome(int64_t result) {
  if (result >= 0) return static_cast<T>(result);
  errno = static_cast<int>(-result);
  return -1;
}

std::shared_ptr<Object> object_of(int fd) {
  ++Kernel::current()->counts().calls;
  return Kernel::current()->find(fd);
}

template <class O>
std::shared_ptr<O> find(int fd) {
  return std::dynamic_pointer_cast<O>(object_of(fd));
}

template <class O, class... A>
int install(bool nonblocking, A... args) {
  auto object = std::make_shared<O>(*Kernel::current(), args...);
  object->nonblocking = nonblocking;
  return Kernel::current()->install(std::move(object));
}

// A name at the real kernel, when there is no other.
bool made_up(int directory) {
  return Kernel::current() != nullptr && (directory == AT_FDCWD || Kernel::owns(directory));
}

int64_t deadline_of(int64_t timeout_ns) {
  return timeout_ns < 0 ? INT64_MAX : Kernel::current()->now() + timeout_ns;
}

int wait_for_events(int set, epoll_event* events, int most, int64_t timeout_ns) {
  Kernel& kernel = *Kernel::current();
  auto object = find<EpollObject>(set);
  if (!object) return outcome(-EBADF);
  object->owner = zokio::task::context().worker;
  kernel.tick();
  if (int n = object->take(events, most); n > 0 || timeout_ns == 0) return n;
  if (kernel.hit(kernel.options().transient_one_in, kernel.counts().transients))
    return outcome(-EINTR);
  if (kernel.block([&] { return object->poll() != 0; }, deadline_of(timeout_ns)))
    return object->take(events, most);
  return kernel.now() >= deadline_of(timeout_ns) ? 0 : outcome(-EINTR);
}

// Nobody sleeps on a word but who waits here, and he looks at it himself.
long futex(const long* a) {
  if ((a[1] & FUTEX_CMD_MASK) != FUTEX_WAIT_BITSET) return 0;
  auto* word = reinterpret_cast<uint32_t*>(a[0]);
  const auto* until = reinterpret_cast<const timespec*>(a[3]);
  const auto expected = static_cast<uint32_t>(a[2]);
  const int64_t deadline =
      until == nullptr ? INT64_MAX : int64_t{until->tv_sec} * 1'000'000'000 + until->tv_nsec;
  const auto changed = [&] { return __atomic_load_n(word, __ATOMIC_SEQ_CST) != expected; };
  if (changed()) return outcome<long>(-EAGAIN);
  Kernel& kernel = *Kernel::current();
  if (kernel.block(changed, deadline)) return 0;
  return outcome<long>(kernel.now() >= deadline ? -ETIMEDOUT : -EINTR);
}

}  // namespace

#define REAL(type, name, ...)                 \
  extern "C" type __real_##name(__VA_ARGS__); \
  extern "C" type __wrap_##name(__VA_ARGS__)

// --- Descriptors ---------------------------------------------------------------------------------

REAL(int, close, int fd) {
  if (!Kernel::owns(fd)) return __real_close(fd);
  return outcome(Kernel::current()->close(fd));
}
REAL(ssize_t, read, int fd, void* to, size_t n) {
  if (!Kernel::owns(fd)) return __real_read(fd, to, n);
  auto object = object_of(fd);
  return outcome<ssize_t>(object ? object->read(static_cast<char*>(to), n, kNoOffset) : -EBADF);
}
REAL(ssize_t, write, int fd, const void* from, size_t n) {
  if (!Kernel::owns(fd)) return __real_write(fd, from, n);
  auto object = object_of(fd);
  return outcome<ssize_t>(object ? object->write(static_cast<const char*>(from), n, kNoOffset)
                                 : -EBADF);
}
REAL(ssize_t, pread, int fd, void* to, size_t n, off_t offset) {
  if (!Kernel::owns(fd)) return __real_pread(fd, to, n, offset);
  auto object = object_of(fd);
  return outcome<ssize_t>(object ? object->read(static_cast<char*>(to), n, offset) : -EBADF);
}
REAL(ssize_t, pwrite, int fd, const void* from, size_t n, off_t offset) {
  if (!Kernel::owns(fd)) return __real_pwrite(fd, from, n, offset);
  auto object = object_of(fd);
  return outcome<ssize_t>(object ? object->write(static_cast<const char*>(from), n, offset)
                                 : -EBADF);
}
REAL(ssize_t, readv, int fd, const iovec* vector, int n) {
  if (!Kernel::owns(fd)) return __real_readv(fd, vector, n);
  auto object = object_of(fd);
  return outcome<ssize_t>(object ? read_vector(*object, vector, static_cast<size_t>(n), kNoOffset)
                                 : -EBADF);
}
REAL(ssize_t, writev, int fd, const iovec* vector, int n) {
  if (!Kernel::owns(fd)) return __real_writev(fd, vector, n);
  auto object = object_of(fd);
  return outcome<ssize_t>(object ? write_vector(*object, vector, static_cast<size_t>(n), kNoOffset)
                                 : -EBADF);
}
REAL(ssize_t, preadv, int fd, const iovec* vector, int n, off_t offset) {
  if (!Kernel::owns(fd)) return __real_preadv(fd, vector, n, offset);
  auto object = object_of(fd);
  return outcome<ssize_t>(object ? read_vector(*object, vector, static_cast<size_t>(n), offset)
                                 : -EBADF);
}
REAL(ssize_t, preadv2, int fd, const iovec* vector, int n, off_t offset, int flags) {
  if (!Kernel::owns(fd)) return __real_preadv2(fd, vector, n, offset, flags);
  auto object = object_of(fd);
  if (!object) return outcome<ssize_t>(-EBADF);
  Kernel& kernel = *Kernel::current();
  // What is not in the page cache would have to be waited for.
  if ((flags & RWF_NOWAIT) != 0 &&
      kernel.hit(kernel.options().uncached_one_in, kernel.counts().uncached))
    return outcome<ssize_t>(-EAGAIN);
  return outcome<ssize_t>(read_vector(*object, vector, static_cast<size_t>(n), offset));
}
REAL(ssize_t, pwritev, int fd, const iovec* vector, int n, off_t offset) {
  if (!Kernel::owns(fd)) return __real_pwritev(fd, vector, n, offset);
  auto object = object_of(fd);
  return outcome<ssize_t>(object ? write_vector(*object, vector, static_cast<size_t>(n), offset)
                                 : -EBADF);
}
extern "C" int __real_fcntl(int fd, int command, ...);
extern "C" int __wrap_fcntl(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  const auto argument = va_arg(list, void*);
  va_end(list);
  if (!Kernel::owns(fd)) return __real_fcntl(fd, command, argument);
  auto object = object_of(fd);
  if (!object) return outcome(-EBADF);
  switch (command) {
    case F_GETFL:
      return object->nonblocking ? O_NONBLOCK : 0;
    case F_SETFL:
      object->nonblocking = (reinterpret_cast<intptr_t>(argument) & O_NONBLOCK) != 0;
      return 0;
    case F_DUPFD_CLOEXEC:
      return Kernel::current()->install(std::move(object));
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
      return static_cast<int>(Kernel::current()->options().socket_bytes);
    default:
      return outcome(-EINVAL);
  }
}
REAL(int, eventfd, unsigned start, int flags) {
  if (Kernel::current() == nullptr) return __real_eventfd(start, flags);
  return install<EventObject>((flags & O_NONBLOCK) != 0);
}
REAL(int, pipe2, int* ends, int flags) {
  if (Kernel::current() == nullptr) return __real_pipe2(ends, flags);
  Kernel& kernel = *Kernel::current();
  auto from = std::make_shared<StreamObject>(kernel, false);
  auto to = std::make_shared<StreamObject>(kernel, false);
  from->nonblocking = to->nonblocking = (flags & O_NONBLOCK) != 0;
  StreamObject::pipe(from, to);
  ends[0] = kernel.install(std::move(to));
  ends[1] = kernel.install(std::move(from));
  return 0;
}
REAL(int, poll, pollfd* fds, nfds_t n, int timeout) {
  if (n != 1 || !Kernel::owns(fds->fd)) return __real_poll(fds, n, timeout);
  auto object = object_of(fds->fd);
  const auto wanted = static_cast<unsigned>(fds->events) | POLLERR | POLLHUP;
  fds->revents = static_cast<short>(object ? object->poll() & wanted : POLLNVAL);
  return fds->revents != 0;
}

// --- Sockets -------------------------------------------------------------------------------------

REAL(int, socket, int family, int type, int protocol) {
  if (Kernel::current() == nullptr) return __real_socket(family, type, protocol);
  if ((type & 0xf) != SOCK_STREAM) return outcome(-EAFNOSUPPORT);
  return install<StreamObject>((type & SOCK_NONBLOCK) != 0, true);
}
REAL(int, bind, int fd, const sockaddr* address, socklen_t size) {
  if (!Kernel::owns(fd)) return __real_bind(fd, address, size);
  auto stream = find<StreamObject>(fd);
  if (!stream) return outcome(-EBADF);
  sockaddr_storage storage{};
  std::memcpy(&storage, address, size);
  auto* four = reinterpret_cast<sockaddr_in*>(&storage);
  if (storage.ss_family == AF_INET && four->sin_port == 0)
    four->sin_port = htons(Kernel::current()->new_port());
  stream->bound = address_text(&storage, size);
  return 0;
}
REAL(int, listen, int fd, int backlog) {
  if (!Kernel::owns(fd)) return __real_listen(fd, backlog);
  auto stream = find<StreamObject>(fd);
  if (!stream) return outcome(-EBADF);
  Kernel& kernel = *Kernel::current();
  auto listener = std::make_shared<ListenerObject>(kernel);
  listener->bound = stream->bound;
  listener->nonblocking = true;
  kernel.listeners()[listener->bound] = listener;
  kernel.replace(fd, std::move(listener));
  return 0;
}
REAL(int, connect, int fd, const sockaddr* address, socklen_t size) {
  if (!Kernel::owns(fd)) return __real_connect(fd, address, size);
  auto stream = find<StreamObject>(fd);
  return outcome(stream ? stream->begin_connect(address_text(address, size)) : -EBADF);
}
REAL(int, accept4, int fd, sockaddr* address, socklen_t* size, int flags) {
  if (!Kernel::owns(fd)) return __real_accept4(fd, address, size, flags);
  auto object = object_of(fd);
  return outcome(object ? object->accept() : -EBADF);
}
REAL(ssize_t, recv, int fd, void* to, size_t n, int flags) {
  if (!Kernel::owns(fd)) return __real_recv(fd, to, n, flags);
  auto object = object_of(fd);
  return outcome<ssize_t>(object ? object->read(static_cast<char*>(to), n, kNoOffset) : -EBADF);
}
REAL(ssize_t, send, int fd, const void* from, size_t n, int flags) {
  if (!Kernel::owns(fd)) return __real_send(fd, from, n, flags);
  auto object = object_of(fd);
  return outcome<ssize_t>(object ? object->write(static_cast<const char*>(from), n, kNoOffset)
                                 : -EBADF);
}
REAL(ssize_t, recvmsg, int fd, msghdr* message, int flags) {
  if (!Kernel::owns(fd)) return __real_recvmsg(fd, message, flags);
  auto object = object_of(fd);
  return outcome<ssize_t>(
      object ? read_vector(*object, message->msg_iov, message->msg_iovlen, kNoOffset) : -EBADF);
}
REAL(ssize_t, sendmsg, int fd, const msghdr* message, int flags) {
  if (!Kernel::owns(fd)) return __real_sendmsg(fd, message, flags);
  auto object = object_of(fd);
  return outcome<ssize_t>(
      object ? write_vector(*object, message->msg_iov, message->msg_iovlen, kNoOffset) : -EBADF);
}
REAL(int, shutdown, int fd, int how) {
  if (!Kernel::owns(fd)) return __real_shutdown(fd, how);
  auto stream = find<StreamObject>(fd);
  return outcome(stream ? stream->shut_down(how) : -ENOTSOCK);
}
REAL(int, setsockopt, int fd, int level, int name, const void* value, socklen_t size) {
  return Kernel::owns(fd) ? 0 : __real_setsockopt(fd, level, name, value, size);
}
REAL(int, getsockopt, int fd, int level, int name, void* value, socklen_t* size) {
  if (!Kernel::owns(fd)) return __real_getsockopt(fd, level, name, value, size);
  auto stream = find<StreamObject>(fd);
  if (!stream || level != SOL_SOCKET || name != SO_ERROR) return outcome(-ENOPROTOOPT);
  const int error = stream->take_error();
  std::memcpy(value, &error, sizeof error);
  return 0;
}
REAL(int, getsockname, int fd, sockaddr* address, socklen_t* size) {
  if (!Kernel::owns(fd)) return __real_getsockname(fd, address, size);
  auto listener = find<ListenerObject>(fd);
  auto stream = find<StreamObject>(fd);
  const std::string bound = listener ? listener->bound : stream ? stream->bound : "";
  if (bound.empty()) return outcome(-ENOTSOCK);
  std::memcpy(address, bound.data(), std::min<size_t>(*size, bound.size()));
  *size = static_cast<socklen_t>(bound.size());
  return 0;
}

// --- Files ---------------------------------------------------------------------------------------

REAL(int, fsync, int fd) {
  if (!Kernel::owns(fd)) return __real_fsync(fd);
  auto file = find<FileObject>(fd);
  return outcome(file ? file->sync() : -EINVAL);
}
REAL(int, fdatasync, int fd) {
  if (!Kernel::owns(fd)) return __real_fdatasync(fd);
  auto file = find<FileObject>(fd);
  return outcome(file ? file->sync() : -EINVAL);
}
REAL(int, ftruncate, int fd, off_t length) {
  if (!Kernel::owns(fd)) return __real_ftruncate(fd, length);
  auto file = find<FileObject>(fd);
  return outcome(file ? file->truncate(length) : -EINVAL);
}
REAL(int, fallocate, int fd, int mode, off_t offset, off_t length) {
  if (!Kernel::owns(fd)) return __real_fallocate(fd, mode, offset, length);
  auto file = find<FileObject>(fd);
  return outcome(file ? file->allocate(mode, offset, length) : -EINVAL);
}
REAL(int, statx, int directory, const char* path, int flags, unsigned mask, struct statx* out) {
  if (!made_up(directory)) return __real_statx(directory, path, flags, mask, out);
  return outcome(stat_file(*Kernel::current(), directory, path, out));
}
REAL(int, fstat, int fd, struct stat* out) {
  if (!Kernel::owns(fd)) return __real_fstat(fd, out);
  struct statx attributes{};
  const int64_t rc = stat_file(*Kernel::current(), fd, "", &attributes);
  *out = {};
  out->st_mode = attributes.stx_mode;
  out->st_size = static_cast<off_t>(attributes.stx_size);
  return outcome(rc);
}
REAL(int, unlinkat, int directory, const char* path, int flags) {
  if (!made_up(directory)) return __real_unlinkat(directory, path, flags);
  return outcome(unlink_file(*Kernel::current(), directory, path, flags));
}
REAL(int, unlink, const char* path) {
  if (Kernel::current() == nullptr) return __real_unlink(path);
  return outcome(unlink_file(*Kernel::current(), AT_FDCWD, path, 0));
}
REAL(int, renameat2, int from_directory, const char* from, int to_directory, const char* to,
     unsigned flags) {
  if (!made_up(from_directory))
    return __real_renameat2(from_directory, from, to_directory, to, flags);
  return outcome(rename_file(*Kernel::current(), from_directory, from, to_directory, to, flags));
}
REAL(int, mkdirat, int directory, const char* path, mode_t mode) {
  if (!made_up(directory)) return __real_mkdirat(directory, path, mode);
  return outcome(make_directory(*Kernel::current(), directory, path, mode));
}
REAL(int, linkat, int from_directory, const char* from, int to_directory, const char* to,
     int flags) {
  if (!made_up(from_directory)) return __real_linkat(from_directory, from, to_directory, to, flags);
  return outcome(link_file(*Kernel::current(), from_directory, from, to_directory, to));
}
extern "C" long __real_syscall(long number, ...);
extern "C" long __wrap_syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_futex && Kernel::current() != nullptr) return futex(a);
  if (number != SYS_openat2 || !made_up(static_cast<int>(a[0])))
    return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  const auto* how = reinterpret_cast<const open_how*>(a[2]);
  return outcome<long>(open_file(*Kernel::current(), static_cast<int>(a[0]),
                                 reinterpret_cast<const char*>(a[1]), how->flags,
                                 static_cast<unsigned>(how->mode)));
}

// --- Readiness -----------------------------------------------------------------------------------

REAL(int, epoll_create1, int flags) {
  if (Kernel::current() == nullptr) return __real_epoll_create1(flags);
  return install<EpollObject>(false);
}
REAL(int, epoll_ctl, int set, int how, int fd, epoll_event* event) {
  if (!Kernel::owns(set)) return __real_epoll_ctl(set, how, fd, event);
  auto object = find<EpollObject>(set);
  return outcome(object ? object->control(how, fd, event) : -EBADF);
}
REAL(int, epoll_wait, int set, epoll_event* events, int most, int timeout) {
  if (!Kernel::owns(set)) return __real_epoll_wait(set, events, most, timeout);
  return wait_for_events(set, events, most, timeout < 0 ? -1 : int64_t{timeout} * 1'000'000);
}
REAL(int, epoll_pwait2, int set, epoll_event* events, int most, const timespec* timeout,
     const sigset_t* mask) {
  if (!Kernel::owns(set)) return __real_epoll_pwait2(set, events, most, timeout, mask);
  return wait_for_events(
      set, events, most,
      timeout == nullptr ? -1 : int64_t{timeout->tv_sec} * 1'000'000'000 + timeout->tv_nsec);
}

// --- Rings ---------------------------------------------------------------------------------------

REAL(int, io_uring_queue_init_params, unsigned entries, io_uring* ring, io_uring_params* params) {
  if (Kernel::current() == nullptr) return __real_io_uring_queue_init_params(entries, ring, params);
  Kernel& kernel = *Kernel::current();
  const KernelOptions& options = kernel.options();
  if (options.setup_error != 0) return -options.setup_error;
  if ((params->flags & options.unknown_flags) != 0) return -EINVAL;
  if (entries > options.entries_max) return -ENOMEM;
  params->cq_entries = std::min(params->cq_entries, options.completions_max);
  auto object = std::make_shared<RingObject>(kernel, entries, *params);
  RingObject& made = *object;
  made.describe(*ring, kernel.install(std::move(object)));
  return 0;
}
REAL(void, io_uring_queue_exit, io_uring* ring) {
  if (!Kernel::owns(ring->ring_fd)) return __real_io_uring_queue_exit(ring);
  Kernel::current()->close(ring->ring_fd);
}
REAL(int, io_uring_ring_dontfork, io_uring* ring) {
  return Kernel::owns(ring->ring_fd) ? 0 : __real_io_uring_ring_dontfork(ring);
}
REAL(int, io_uring_register_iowq_max_workers, io_uring* ring, unsigned* values) {
  if (!Kernel::owns(ring->ring_fd)) return __real_io_uring_register_iowq_max_workers(ring, values);
  return 0;
}
REAL(int, io_uring_register_buffers, io_uring* ring, const iovec* vectors, unsigned count) {
  if (!Kernel::owns(ring->ring_fd)) return __real_io_uring_register_buffers(ring, vectors, count);
  return Kernel::current()->options().registered_buffers ? 0 : -ENOMEM;
}
REAL(int, io_uring_register_buf_ring, io_uring* ring, io_uring_buf_reg* reg, unsigned flags) {
  if (!Kernel::owns(ring->ring_fd)) return __real_io_uring_register_buf_ring(ring, reg, flags);
  return find<RingObject>(ring->ring_fd)->register_buffers(*reg);
}
REAL(int, io_uring_register, unsigned fd, unsigned opcode, const void* argument, unsigned count) {
  if (!Kernel::owns(static_cast<int>(fd)))
    return __real_io_uring_register(fd, opcode, argument, count);
  if (opcode != IORING_REGISTER_PROBE) return -EINVAL;
  auto* table = static_cast<io_uring_probe*>(const_cast<void*>(argument));
  constexpr unsigned kKnown = 56;
  table->ops_len = static_cast<uint8_t>(std::min(count, kKnown));
  for (unsigned i = 0; i < table->ops_len; ++i) {
    table->ops[i].op = static_cast<uint8_t>(i);
    const bool known = knows(static_cast<uint8_t>(i)) &&
                       ((Kernel::current()->options().unknown_opcodes >> i) & 1) == 0;
    table->ops[i].flags = known ? IO_URING_OP_SUPPORTED : 0;
  }
  return 0;
}
REAL(int, io_uring_enter2, unsigned fd, unsigned count, unsigned wait, unsigned flags,
     sigset_t* argument, size_t size) {
  if (!Kernel::owns(static_cast<int>(fd)))
    return __real_io_uring_enter2(fd, count, wait, flags, argument, size);
  auto ring = find<RingObject>(static_cast<int>(fd));
  int64_t deadline = INT64_MAX;
  if ((flags & IORING_ENTER_EXT_ARG) != 0) {
    const auto* more = reinterpret_cast<const io_uring_getevents_arg*>(argument);
    const auto* time = reinterpret_cast<const __kernel_timespec*>(more->ts);
    if (time != nullptr) deadline = deadline_of(time->tv_sec * 1'000'000'000 + time->tv_nsec);
  }
  return ring->enter(count, wait, flags, deadline);
}
