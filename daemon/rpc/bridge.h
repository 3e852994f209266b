// SPDX-License-Identifier: Apache-2.0
#pragma once

// gRPC callback <-> coroutine, and the fence for exceptions.
//
// gRPC calls a handler on one of its threads; the handler returns a reactor at once and the work
// goes on as a task of the runtime, which ends the call when it is done. A client that leaves
// cancels the task. The reactor lives until gRPC's OnDone, which comes after the handler returned
// it, after Finish, and after every other callback; so `adopt` is never late and nothing here needs
// a lock but the writer of a stream.

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "rpc/call.h"
#include "rpc/status.h"
#include "zokio/base/clock.h"
#include "zokio/runtime.h"
#include "zokio/sync/event.h"

namespace zokiod::rpc {

using model::Reported;

// Counts one call from its start to gRPC's OnDone.
class CallRecord {
 public:
  CallRecord(const CallEnvironment& environment, CallStats::Method& method);
  ~CallRecord();
  void set_code(grpc::StatusCode code) { code_ = code; }

 private:
  CallStats& stats_;
  CallStats::Method& method_;
  zokio::Instant started_;
  grpc::StatusCode code_ = grpc::StatusCode::UNKNOWN;
};

// What gRPC is told; UNCAUGHT_EXCEPTION for what a handler threw.
grpc::Status status_of(const Reported<>& outcome);
grpc::Status status_of_exception();  // call in a catch block

// REQUEST_TOO_LARGE when the message is above the limit.
Reported<> check_size(const CallEnvironment& environment, const google::protobuf::Message& request);

class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  UnaryCall(const CallEnvironment& environment, CallStats::Method& method)
      : record_(environment, method) {}

  void adopt(zokio::JoinHandle<void> task) { task_ = std::move(task); }
  void finish(grpc::Status status) {
    record_.set_code(status.error_code());
    Finish(std::move(status));
  }

 private:
  void OnCancel() override {
    if (task_) task_.cancel();
  }
  void OnDone() override { delete this; }

  CallRecord record_;
  zokio::JoinHandle<void> task_;
};

// The server's side of a stream of answers.
template <class Response>
class StreamCall final : public grpc::ServerWriteReactor<Response> {
 public:
  StreamCall(const CallEnvironment& environment, CallStats::Method& method)
      : record_(environment, method) {}

  void adopt(zokio::JoinHandle<void> task) { task_ = std::move(task); }

  // Sends one message and waits until gRPC took it, which is the flow control of a slow client.
  // Cancelled: the client is gone, or the task was asked to stop. Thread: the handler's task.
  zokio::Task<zokio::Result<void>> write(Response message) {
    {
      std::scoped_lock lock(mutex_);
      // Still writing: the wait for that write was cancelled, and this task with it.
      if (gone_ || writing_) co_return zokio::fail(zokio::Errc::Cancelled, "stream");
      writing_ = true;
    }
    message_ = std::move(message);
    this->StartWrite(&message_);
    // The event may come once too often (its set() of the write before can still be under way), so
    // the flag decides; reset before looking at it, or an end in between would be missed.
    while (true) {
      // Cancelled here, the write may still be going on: finish() waits for its end.
      ZOKIO_CO_CHECKED(co_await written_.wait());
      written_.reset();
      std::scoped_lock lock(mutex_);
      if (gone_) co_return zokio::fail(zokio::Errc::Cancelled, "stream");
      if (!writing_) break;
    }
    co_return zokio::Result<void>();
  }

  void finish(grpc::Status status) {
    record_.set_code(status.error_code());
    {
      std::scoped_lock lock(mutex_);
      if (writing_) {
        last_ = std::move(status);
        return;
      }
    }
    this->Finish(std::move(status));
  }

 private:
  void OnWriteDone(bool ok) override {
    std::optional<grpc::Status> last;
    {
      std::scoped_lock lock(mutex_);
      writing_ = false;
      if (!ok) gone_ = true;
      last = std::exchange(last_, std::nullopt);
    }
    if (last) {
      this->Finish(std::move(*last));
    } else {
      written_.set();
    }
  }
  void OnCancel() override {
    if (task_) task_.cancel();
  }
  void OnDone() override { delete this; }

  CallRecord record_;
  zokio::JoinHandle<void> task_;
  zokio::sync::Event written_;
  Response message_;  // of the write in progress
  std::mutex mutex_;
  // Guarded by mutex_.
  bool writing_ = false;
  bool gone_ = false;
  std::optional<grpc::Status> last_;  // the end of a call whose last write is still going on
};

namespace internal {

template <class F, class... A>
zokio::Task<void> run_unary(UnaryCall* call, F f, A... args) {
  grpc::Status status;
  try {
    Reported<> outcome = co_await std::invoke(f, std::move(args)...);
    status = status_of(outcome);
  } catch (...) {
    status = status_of_exception();
  }
  call->finish(std::move(status));
}

template <class Response, class F, class... A>
zokio::Task<void> run_stream(StreamCall<Response>* call, F f, A... args) {
  grpc::Status status;
  try {
    Reported<> outcome = co_await std::invoke(f, std::move(args)..., call);
    status = status_of(outcome);
  } catch (...) {
    status = status_of_exception();
  }
  call->finish(std::move(status));
}

}  // namespace internal

// Answers with the coroutine `f(args...)`, which returns Task<Reported<>> and fills the response.
template <class F, class... A>
grpc::ServerUnaryReactor* answer(const CallEnvironment& environment, CallStats::Method& method,
                                 const google::protobuf::Message& request, F f, A... args) {
  auto* call = new UnaryCall(environment, method);
  if (auto fits = check_size(environment, request); !fits) {
    call->finish(to_status(fits.error()));
    return call;
  }
  call->adopt(environment.runtime->spawn_named("rpc", &internal::run_unary<F, A...>, call,
                                               std::move(f), std::move(args)...));
  return call;
}

// Answers at once with `f()`, which returns Reported<>. For what takes no wait: it works also when
// every worker is busy or stuck.
template <class F>
grpc::ServerUnaryReactor* answer_now(const CallEnvironment& environment, CallStats::Method& method,
                                     const google::protobuf::Message& request, F f) {
  auto* call = new UnaryCall(environment, method);
  grpc::Status status;
  try {
    Reported<> outcome = check_size(environment, request);
    if (outcome) outcome = f();
    status = status_of(outcome);
  } catch (...) {
    status = status_of_exception();
  }
  call->finish(std::move(status));
  return call;
}

// Answers with the coroutine `f(args..., StreamCall<Response>*)`, which writes the messages.
template <class Response, class F, class... A>
grpc::ServerWriteReactor<Response>* answer_stream(const CallEnvironment& environment,
                                                  CallStats::Method& method,
                                                  const google::protobuf::Message& request, F f,
                                                  A... args) {
  auto* call = new StreamCall<Response>(environment, method);
  if (auto fits = check_size(environment, request); !fits) {
    call->finish(to_status(fits.error()));
    return call;
  }
  call->adopt(environment.runtime->spawn_named("rpc", &internal::run_stream<Response, F, A...>,
                                               call, std::move(f), std::move(args)...));
  return call;
}

}  // namespace zokiod::rpc
