// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a descriptor of the made-up kernel stands for. Calls return what a completion of io_uring
// would: a count, or -errno. -EAGAIN: it would block.

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernel/kernel.h"

namespace zokio::sim {

class EpollObject;

inline constexpr int64_t kNoOffset = -1;

class Object : public std::enable_shared_from_this<Object> {
 public:
  explicit Object(Kernel& kernel) : kernel_(kernel) {}
  virtual ~Object() = default;

  virtual uint32_t poll() { return 0; }
  virtual int64_t read(char*, std::size_t, int64_t) { return -EINVAL; }
  virtual int64_t write(const char*, std::size_t, int64_t) { return -EINVAL; }
  virtual int64_t accept() { return -EINVAL; }
  virtual std::string describe() { return "ready " + std::to_string(poll()); }
  // True for files: an operation on one ends by itself.
  virtual bool is_file() const { return false; }

  // Its worker (that waited on it last), and whether he would find something.
  virtual bool has_news() { return false; }

  bool nonblocking = false;
  uint32_t owner = UINT32_MAX;

 protected:
  friend class EpollObject;
  // Something may be possible now that was not before.
  void edge();

  Kernel& kernel_;

 private:
  std::vector<std::weak_ptr<EpollObject>> watchers_;
};

class EventObject final : public Object {
 public:
  using Object::Object;
  uint32_t poll() override { return POLLOUT | (count_ > 0 ? POLLIN : 0u); }
  int64_t read(char* to, std::size_t n, int64_t) override;
  int64_t write(const char* from, std::size_t n, int64_t) override;

 private:
  uint64_t count_ = 0;
};

// One direction of a stream. What was written arrives a while later, in pieces.
struct Channel {
  std::string bytes;
  std::size_t arrived = 0;  // of them
  std::size_t capacity = 0;
  bool write_end_gone = false;
  bool read_end_gone = false;
  bool reset = false;
  bool full = false;     // somebody was told so, and waits for an edge
  bool pressed = false;  // no memory for more just now
  std::weak_ptr<Object> reader, writer;

  bool ended() const { return bytes.empty() && write_end_gone; }
  // The end stands in the line behind the last byte.
  bool end_arrived() const { return write_end_gone && arrived == bytes.size(); }
};

// A connected socket, one that is to be connected, or an end of a pipe.
class StreamObject final : public Object {
 public:
  StreamObject(Kernel& kernel, bool socket) : Object(kernel), socket_(socket) {}
  ~StreamObject() override;

  // Two sockets that are connected to each other; a pipe: from the first to the second.
  static void connect(const std::shared_ptr<StreamObject>& a,
                      const std::shared_ptr<StreamObject>& b);
  static void pipe(const std::shared_ptr<StreamObject>& from,
                   const std::shared_ptr<StreamObject>& to);

  uint32_t poll() override;
  int64_t read(char* to, std::size_t n, int64_t) override;
  int64_t write(const char* from, std::size_t n, int64_t) override;
  std::string describe() override;

  // 0, -EINPROGRESS (an edge says when it is over: error()), or why not.
  int64_t begin_connect(const std::string& address);
  bool connecting() const { return connecting_; }
  int take_error();
  int64_t shut_down(int how);

  std::string bound, peer;  // addresses

 private:
  static void deliver(Kernel& kernel, const std::shared_ptr<Channel>& channel);
  static void deliver_later(Kernel& kernel, const std::shared_ptr<Channel>& channel);
  static void notify(const std::weak_ptr<Object>& end);
  void end_connect(const std::string& address);
  static void close_end(const std::shared_ptr<Channel>& out, bool reset);
  void reset();

  const bool socket_;
  bool connecting_ = false;
  int error_ = 0;
  std::shared_ptr<Channel> in_, out_;
};

class ListenerObject final : public Object {
 public:
  using Object::Object;
  uint32_t poll() override { return backlog_.empty() ? 0 : POLLIN; }
  int64_t accept() override;
  void arrive(std::shared_ptr<StreamObject> peer);

  std::string bound;

 private:
  std::deque<std::shared_ptr<StreamObject>> backlog_;
};

class EpollObject final : public Object {
 public:
  using Object::Object;
  uint32_t poll() override;
  int64_t control(int how, int fd, const epoll_event* event);
  std::string describe() override;
  bool has_news() override { return poll() != 0; }
  // Takes what is ready.
  int take(epoll_event* out, int most);
  void on_edge(const Object* object);

 private:
  struct Item {
    std::weak_ptr<Object> object;
    uint32_t events = 0;
    epoll_data_t data{};
    bool armed = true;
    bool edge = false;
  };
  static uint32_t ready(const Item& item);

  // By number and object: a number that was closed and used again is another entry.
  std::map<std::pair<int, uint64_t>, Item> items_;
  uint64_t order_ = 0;
};

}  // namespace zokio::sim
