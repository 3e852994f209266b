// SPDX-License-Identifier: Apache-2.0
#include "jobs/events.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/limits.h"
#include "zokio/timeout.h"

namespace zokiod::jobs {
namespace {

using zokio::Errc;
using zokio::Result;

// Events looked at under one hold of the lock: bounds how long a filtered watch keeps others out.
constexpr size_t kScanMax = 4096;

zokio::Task<Result<bool>> receive(zokio::sync::OneshotReceiver<bool> receiver) {
  co_return co_await receiver.recv();
}

}  // namespace

class EventFeed::Cursor final : public Subscription {
 public:
  Cursor(std::shared_ptr<EventFeed> feed, WatchOptions options, uint64_t next)
      : feed_(std::move(feed)), options_(std::move(options)), next_(next) {}
  ~Cursor() override {
    std::lock_guard lock(feed_->mutex_);
    feed_->cursors_.erase(this);
  }

  zokio::Task<Reported<WatchItem>> next(zokio::Duration progress_interval) override;

 private:
  friend class EventFeed;
  struct Look {
    enum { Found, Wait, More, Failed } what;
    JobEvent event;
    model::Report report;
  };
  bool matches(const JobEvent& event) const {
    return (!options_.job || event.id == *options_.job) &&
           (options_.kind.empty() || event.kind == options_.kind);
  }
  Look look();
  // Requires: feed_->mutex_.
  Look failed(std::string_view reason, Errc code, std::string message) {
    return {Look::Failed, {}, model::make_report(code, reason, std::move(message))};
  }

  std::shared_ptr<EventFeed> feed_;
  const WatchOptions options_;
  // Guarded by feed_->mutex_.
  uint64_t next_;  // first revision not looked at
  std::optional<zokio::sync::OneshotSender<bool>> waiting_;
};

EventFeed::Cursor::Look EventFeed::Cursor::look() {
  std::lock_guard lock(feed_->mutex_);
  waiting_.reset();
  if (feed_->stopped_)
    return failed(model::reason::kStopping, Errc::Unavailable, "the daemon stops");
  const auto& history = feed_->history_;
  const uint64_t first = feed_->revision_ + 1 - history.size();
  if (next_ < first) {
    ++feed_->lagged_;
    Look out = failed(
        model::reason::kSubscriberLagged, Errc::Aborted,
        fmt::format("fell behind: revision {} is no longer kept, the oldest is {}", next_, first));
    out.report.metadata["compact_revision"] = std::to_string(first);
    return out;
  }
  for (size_t seen = 0; next_ <= feed_->revision_; ++seen) {
    if (seen == kScanMax) return {Look::More, {}, {}};
    const JobEvent& event = history[next_ - first];
    ++next_;
    if (matches(event)) return {Look::Found, event, {}};
  }
  return {Look::Wait, {}, {}};
}

zokio::Task<Reported<WatchItem>> EventFeed::Cursor::next(zokio::Duration progress_interval) {
  const zokio::Instant deadline = zokio::Instant::now() + progress_interval;
  while (true) {
    Look found = look();
    if (found.what == Look::Found) co_return WatchItem(std::move(found.event));
    if (found.what == Look::Failed) co_return model::refuse(std::move(found.report));
    if (found.what == Look::More) continue;
    auto channel = zokio::sync::oneshot<bool>();
    uint64_t seen;
    {
      std::lock_guard lock(feed_->mutex_);
      seen = feed_->revision_;
      if (next_ <= seen || feed_->stopped_) continue;  // something came in between
      waiting_ = std::move(channel.first);
    }
    Result<bool> woken =
        co_await zokio::with_deadline(receive(std::move(channel.second)), deadline);
    if (woken || woken.error().code == Errc::Aborted) continue;
    if (woken.error().code == Errc::DeadlineExceeded) co_return WatchItem(WatchProgress{seen});
    co_return model::refuse(model::make_report(woken.error(), "watch"));
  }
}

uint64_t EventFeed::publish(JobEvent event) {
  std::lock_guard lock(mutex_);
  event.revision = ++revision_;
  history_.push_back(std::move(event));
  if (history_.size() > history_max_) history_.pop_front();
  for (Cursor* cursor : cursors_)
    if (auto waiting = std::exchange(cursor->waiting_, std::nullopt)) waiting->send(true);
  return revision_;
}

uint64_t EventFeed::revision() const {
  std::lock_guard lock(mutex_);
  return revision_;
}

void EventFeed::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (Cursor* cursor : cursors_)
    if (auto waiting = std::exchange(cursor->waiting_, std::nullopt)) waiting->send(true);
}

Reported<std::unique_ptr<Subscription>> EventFeed::subscribe(WatchOptions options) {
  std::lock_guard lock(mutex_);
  if (stopped_)
    return model::refuse(Errc::Unavailable, model::reason::kStopping, "the daemon stops");
  if (cursors_.size() >= model::kSubscribersMax)
    return model::refuse(
        Errc::ResourceExhausted, model::reason::kTooManyWatches,
        fmt::format("{} watches are open, the most there may be", cursors_.size()));
  const uint64_t first = revision_ + 1 - history_.size();
  const uint64_t start = options.start_revision == 0 ? revision_ + 1 : options.start_revision;
  if (start < first || start > revision_ + 1) {
    // A revision of the future is one of an earlier process: what it meant is gone as well.
    model::Report report =
        model::make_report(Errc::OutOfRange, model::reason::kRevisionCompacted,
                           fmt::format("revision {} is not kept: the oldest is {}, the newest {}",
                                       start, first, revision_));
    report.metadata["compact_revision"] = std::to_string(first);
    return model::refuse(std::move(report));
  }
  auto cursor = std::make_unique<Cursor>(shared_from_this(), std::move(options), start);
  cursors_.insert(cursor.get());
  return cursor;
}

size_t EventFeed::subscribers() const {
  std::lock_guard lock(mutex_);
  return cursors_.size();
}

uint64_t EventFeed::lagged() const {
  std::lock_guard lock(mutex_);
  return lagged_;
}

}  // namespace zokiod::jobs
