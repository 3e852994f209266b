// SPDX-License-Identifier: Apache-2.0
#include "kernel/object.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace zokio::sim {

void Object::edge() {
  kernel_.changed();
  std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
  for (std::size_t i = 0; i < watchers_.size(); ++i)
    if (auto watcher = watchers_[i].lock()) watcher->on_edge(this);
}

// --- Event counters ------------------------------------------------------------------------------

int64_t EventObject::read(char* to, std::size_t n, int64_t) {
  if (n < sizeof count_) return -EINVAL;
  if (count_ == 0) return -EAGAIN;
  std::memcpy(to, &count_, sizeof count_);
  count_ = 0;
  return sizeof count_;
}

int64_t EventObject::write(const char* from, std::size_t n, int64_t) {
  if (n < sizeof count_) return -EINVAL;
  uint64_t more = 0;
  std::memcpy(&more, from, sizeof more);
  count_ += more;
  edge();
  return sizeof count_;
}

// --- Streams -------------------------------------------------------------------------------------

namespace {

std::shared_ptr<Channel> make_channel(const std::shared_ptr<StreamObject>& from,
                                      const std::shared_ptr<StreamObject>& to,
                                      std::size_t capacity) {
  auto channel = std::make_shared<Channel>();
  channel->capacity = capacity;
  channel->writer = from;
  channel->reader = to;
  return channel;
}

}  // namespace

void StreamObject::connect(const std::shared_ptr<StreamObject>& a,
                           const std::shared_ptr<StreamObject>& b) {
  const std::size_t capacity = a->kernel_.options().socket_bytes;
  a->out_ = b->in_ = make_channel(a, b, capacity);
  b->out_ = a->in_ = make_channel(b, a, capacity);
  a->peer = b->bound;
  b->peer = a->bound;
}

void StreamObject::pipe(const std::shared_ptr<StreamObject>& from,
                        const std::shared_ptr<StreamObject>& to) {
  from->out_ = to->in_ = make_channel(from, to, from->kernel_.options().socket_bytes);
}

// What was not read when a socket is closed resets the connection; otherwise the other side reads
// to the end.
StreamObject::~StreamObject() {
  const bool unread = socket_ && in_ && !in_->bytes.empty();
  if (in_) {
    in_->read_end_gone = true;
    notify(in_->writer);
  }
  if (out_) close_end(out_, unread);
}

void StreamObject::close_end(const std::shared_ptr<Channel>& out, bool reset) {
  out->write_end_gone = true;
  if (reset) out->reset = true;
  notify(out->reader);
}

void StreamObject::reset() {
  for (const auto& channel : {in_, out_}) {
    if (!channel) continue;
    channel->reset = true;
    channel->bytes.clear();
    channel->arrived = 0;
    notify(channel->reader);
    notify(channel->writer);
  }
}

uint32_t StreamObject::poll() {
  if (connecting_) return 0;
  uint32_t out = error_ != 0 ? POLLERR | POLLIN | POLLOUT : 0u;
  if (!in_ && !out_) return out | POLLHUP | POLLOUT;
  if (in_) {
    if (in_->arrived > 0 || in_->end_arrived() || in_->reset) out |= POLLIN;
    if (in_->end_arrived() || in_->reset) out |= POLLRDHUP;
    if (in_->reset) out |= POLLERR | POLLHUP;
    if (!socket_ && in_->write_end_gone && in_->bytes.empty()) out |= POLLHUP;
  }
  if (out_) {
    const std::size_t room = out_->capacity - out_->bytes.size();
    if (out_->read_end_gone || out_->reset)
      out |= POLLOUT | (socket_ ? 0u : POLLERR);
    else if (!out_->pressed && 3 * room >= out_->capacity)
      out |= POLLOUT;
    else
      out_->full = true;
    if (socket_ && in_ && in_->ended() && out_->write_end_gone) out |= POLLHUP;
  }
  return out;
}

// A prefix of what is on its way arrives, and the rest later.
void StreamObject::deliver(Kernel& kernel, const std::shared_ptr<Channel>& channel) {
  const std::size_t rest = channel->bytes.size() - channel->arrived;
  if (rest == 0) return;
  const bool part = rest > 1 && kernel.hit(kernel.options().short_one_in, kernel.counts().shorts);
  channel->arrived += part ? 1 + kernel.rng().below(static_cast<uint32_t>(rest - 1)) : rest;
  notify(channel->reader);
  if (part) deliver_later(kernel, channel);
}

void StreamObject::deliver_later(Kernel& kernel, const std::shared_ptr<Channel>& channel) {
  kernel.after(1 + kernel.delay(), [&kernel, channel] { deliver(kernel, channel); });
}

void StreamObject::notify(const std::weak_ptr<Object>& end) {
  if (auto object = std::static_pointer_cast<StreamObject>(end.lock())) object->edge();
}

int64_t StreamObject::read(char* to, std::size_t n, int64_t) {
  if (error_ != 0) return -take_error();
  if (!in_) return -ENOTCONN;
  if (socket_ && in_->arrived > 0 &&
      kernel_.hit(kernel_.options().reset_one_in, kernel_.counts().resets))
    reset();
  if (in_->reset) return -ECONNRESET;
  if (in_->ended()) return 0;
  if (in_->arrived == 0) return -EAGAIN;
  const KernelOptions& options = kernel_.options();
  // Less than there is, or nothing: the rest is as if it had not arrived yet, and an edge comes.
  n = std::min(n, in_->arrived);
  bool cut = kernel_.hit(options.transient_one_in, kernel_.counts().transients);
  if (cut) {
    n = 0;
  } else if (n > 1 && kernel_.hit(options.short_one_in, kernel_.counts().shorts)) {
    cut = true;
    n = 1 + kernel_.rng().below(static_cast<uint32_t>(n - 1));
  }
  std::memcpy(to, in_->bytes.data(), n);
  in_->bytes.erase(0, n);
  in_->arrived = cut ? 0 : in_->arrived - n;
  if (cut) deliver_later(kernel_, in_);
  if (in_->full && 3 * (in_->capacity - in_->bytes.size()) >= in_->capacity) {
    in_->full = false;
    notify(in_->writer);
  }
  return n == 0 ? -EAGAIN : static_cast<int64_t>(n);
}

int64_t StreamObject::write(const char* from, std::size_t n, int64_t) {
  if (error_ != 0) return -take_error();
  if (connecting_) return -EAGAIN;
  if (!out_ || out_->write_end_gone) return out_ ? -EPIPE : -ENOTCONN;
  if (socket_ && kernel_.hit(kernel_.options().reset_one_in, kernel_.counts().resets)) reset();
  if (out_->reset) return kernel_.rng().below(2) == 0 ? -EPIPE : -ECONNRESET;
  if (out_->read_end_gone) return -EPIPE;
  if (n == 0) return 0;
  const std::size_t room = out_->pressed ? 0 : out_->capacity - out_->bytes.size();
  if (room == 0) {
    out_->full = true;
    return -EAGAIN;
  }
  if (n > room) {
    n = room;
    out_->full = true;
  }
  if (n > 1 && kernel_.hit(kernel_.options().short_one_in, kernel_.counts().shorts)) {
    n = 1 + kernel_.rng().below(static_cast<uint32_t>(n - 1));
    out_->pressed = true;
    kernel_.after(1 + kernel_.delay(), [out = out_] {
      out->pressed = false;
      notify(out->writer);
    });
  }
  out_->bytes.append(from, n);
  kernel_.after(kernel_.delay(), [&kernel = kernel_, out = out_] { deliver(kernel, out); });
  return static_cast<int64_t>(n);
}

int64_t StreamObject::begin_connect(const std::string& address) {
  if (connecting_) return -EALREADY;
  if (in_ || out_) return -EISCONN;
  connecting_ = true;
  auto self = std::static_pointer_cast<StreamObject>(shared_from_this());
  kernel_.after(1 + kernel_.delay(), [self, address] { self->end_connect(address); });
  return -EINPROGRESS;
}

void StreamObject::end_connect(const std::string& address) {
  connecting_ = false;
  const auto found = kernel_.listeners().find(address);
  auto listener = found == kernel_.listeners().end()
                      ? nullptr
                      : std::static_pointer_cast<ListenerObject>(found->second.lock());
  uint64_t ignored = 0;
  if (!listener || kernel_.hit(kernel_.options().refused_one_in, ignored)) {
    error_ = !listener || kernel_.rng().below(2) == 0 ? ECONNREFUSED : ETIMEDOUT;
  } else {
    auto self = std::static_pointer_cast<StreamObject>(shared_from_this());
    auto other = std::make_shared<StreamObject>(kernel_, true);
    other->bound = address;
    connect(self, other);
    listener->arrive(std::move(other));
  }
  edge();
}

int StreamObject::take_error() {
  return std::exchange(error_, 0);
}

int64_t StreamObject::shut_down(int how) {
  if (!in_ || !out_) return -ENOTCONN;
  if (how != SHUT_RD) close_end(out_, false);
  if (how != SHUT_WR) {
    in_->write_end_gone = true;
    in_->bytes.clear();
    in_->arrived = 0;
  }
  edge();
  return 0;
}

std::string StreamObject::describe() {
  std::string out = Object::describe();
  const auto side = [&out](const char* name, const std::shared_ptr<Channel>& channel) {
    if (!channel) return;
    out += std::string(", ") + name + " " + std::to_string(channel->arrived) + " of " +
           std::to_string(channel->bytes.size()) + "/" + std::to_string(channel->capacity);
    if (channel->write_end_gone) out += " ended";
    if (channel->read_end_gone) out += " unread";
    if (channel->reset) out += " reset";
    if (channel->full) out += " full";
    if (channel->pressed) out += " pressed";
  };
  side("in", in_);
  side("out", out_);
  return out;
}

// --- Listeners -----------------------------------------------------------------------------------

void ListenerObject::arrive(std::shared_ptr<StreamObject> peer) {
  backlog_.push_back(std::move(peer));
  edge();
}

int64_t ListenerObject::accept() {
  if (backlog_.empty()) return -EAGAIN;
  auto peer = std::move(backlog_.front());
  backlog_.pop_front();
  uint64_t ignored = 0;
  if (kernel_.hit(kernel_.options().refused_one_in, ignored)) return -ECONNABORTED;
  peer->nonblocking = true;
  return kernel_.install(std::move(peer));
}

// --- Sets ----------------------------------------------------------------------------------------

uint32_t EpollObject::ready(const Item& item) {
  const auto object = item.object.lock();
  if (!object || !item.armed) return 0;
  if ((item.events & EPOLLET) != 0 && !item.edge) return 0;
  return object->poll() & (item.events | EPOLLERR | EPOLLHUP);
}

uint32_t EpollObject::poll() {
  return std::any_of(items_.begin(), items_.end(), [](auto& i) { return ready(i.second) != 0; })
             ? POLLIN
             : 0;
}

int64_t EpollObject::control(int how, int fd, const epoll_event* event) {
  auto object = kernel_.find(fd);
  if (!object) return -EBADF;
  std::erase_if(items_, [](const auto& item) { return item.second.object.expired(); });
  auto at = std::find_if(items_.begin(), items_.end(), [&](const auto& item) {
    return item.first.first == fd && item.second.object.lock() == object;
  });
  if (how == EPOLL_CTL_ADD && at != items_.end()) return -EEXIST;
  if (how != EPOLL_CTL_ADD && at == items_.end()) return -ENOENT;
  if (how == EPOLL_CTL_DEL) {
    items_.erase(at);
    return 0;
  }
  if (how == EPOLL_CTL_ADD) {
    at = items_.emplace(std::pair(fd, ++order_), Item()).first;
    object->watchers_.push_back(std::static_pointer_cast<EpollObject>(shared_from_this()));
  }
  at->second = {
      .object = object, .events = event->events, .data = event->data, .armed = true, .edge = true};
  edge();
  return 0;
}

std::string EpollObject::describe() {
  std::string out = "epoll:";
  for (const auto& [key, item] : items_)
    out += " " + std::to_string(key.first) + (item.object.expired() ? " gone" : "") + "[" +
           std::to_string(item.events) + (item.armed ? " armed" : "") + (item.edge ? " edge" : "") +
           "]";
  return out;
}

void EpollObject::on_edge(const Object* object) {
  for (auto& [key, item] : items_)
    if (item.object.lock().get() == object) item.edge = true;
  edge();
}

int EpollObject::take(epoll_event* out, int most) {
  std::vector<Item*> items;
  for (auto& [key, item] : items_) items.push_back(&item);
  // In any order.
  for (std::size_t i = items.size(); i > 1; --i)
    std::swap(items[i - 1], items[kernel_.rng().below(static_cast<uint32_t>(i))]);
  int n = 0;
  for (Item* item : items) {
    if (n == most) break;
    const uint32_t events = ready(*item);
    if (events == 0) continue;
    out[n++] = {.events = events, .data = item->data};
    item->edge = false;
    if ((item->events & EPOLLONESHOT) != 0) item->armed = false;
  }
  return n;
}

}  // namespace zokio::sim
