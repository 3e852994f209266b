// SPDX-License-Identifier: Apache-2.0
// synthetic.channel: producers and consumers on one bounded channel; every message arrives once.
//
// Checksum: the sum of mix(seed, i) for i below `messages`, as the consumers received them.

#include "kinds/catalog.h"
#include "kinds/synthetic.h"
#include "model/limits.h"
#include "zokio/join.h"
#include "zokio/sync/mpmc.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticChannelSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;
using Sender = zokio::sync::MpmcSender<uint64_t>;
using Receiver = zokio::sync::MpmcReceiver<uint64_t>;

constexpr uint64_t kMessagesDefault = 10'000;
constexpr uint32_t kTasksDefault = 4;
constexpr uint32_t kTasksMax = 10'000;
constexpr uint32_t kCapacityDefault = 64;
constexpr uint32_t kCapacityMax = 1'000'000;
constexpr uint64_t kProgressStride = 64;

const SyntheticChannelSpec& spec_of(const model::JobSpec& spec) {
  return std::get<SyntheticChannelSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  const SyntheticChannelSpec& spec = spec_of(job);
  const std::string_view kind = "synthetic_channel";
  synthetic::above(out, kind, "messages", spec.messages, model::kSyntheticOperationsMax);
  synthetic::above(out, kind, "producers", spec.producers, kTasksMax);
  synthetic::above(out, kind, "consumers", spec.consumers, kTasksMax);
  synthetic::above(out, kind, "capacity", spec.capacity, kCapacityMax);
}

struct Traffic {
  uint64_t seed, messages;
  JobContext* context;
  std::atomic<uint64_t> received{0}, sent_sum{0};
};

// Its sum goes to the traffic; what a task returns is what was received.
Task<Result<uint64_t>> produce(Traffic* traffic, Sender sender, synthetic::Range range) {
  uint64_t sum = 0;
  for (uint64_t i = range.first; i < range.last; ++i) {
    const uint64_t message = mix(traffic->seed, i);
    ZOKIO_CO_CHECKED(co_await sender.send(message));
    sum += message;
  }
  traffic->sent_sum.fetch_add(sum, std::memory_order_relaxed);
  co_return uint64_t{0};
}

Task<Result<uint64_t>> consume(Traffic* traffic, Receiver receiver) {
  uint64_t sum = 0;
  while (true) {
    const Result<uint64_t> message = co_await receiver.recv();
    if (!message && message.error().code == Errc::Aborted) co_return sum;  // all have been sent
    ZOKIO_CO_CHECKED(message);
    sum += *message;
    const uint64_t received = traffic->received.fetch_add(1, std::memory_order_relaxed) + 1;
    if (received % kProgressStride == 0) traffic->context->progress(received, traffic->messages);
  }
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const SyntheticChannelSpec& spec = spec_of(context.job().spec);
  Traffic traffic{spec.seed, synthetic::or_default(spec.messages, kMessagesDefault), &context};
  const uint32_t producers = synthetic::or_default(spec.producers, kTasksDefault);
  const uint32_t consumers = synthetic::or_default(spec.consumers, kTasksDefault);
  std::vector<Task<Result<uint64_t>>> all;
  {
    // The ends belong to the tasks alone: the last producer's end closes the channel.
    auto [sender, receiver] =
        zokio::sync::mpmc<uint64_t>(synthetic::or_default(spec.capacity, kCapacityDefault));
    for (uint32_t i = 0; i < consumers; ++i) all.push_back(consume(&traffic, receiver));
    for (uint32_t i = 0; i < producers; ++i)
      all.push_back(produce(&traffic, sender, synthetic::part_of(traffic.messages, i, producers)));
  }
  Result<uint64_t> sum = synthetic::sum_of(co_await zokio::join_all(std::move(all)));
  // Who is cancelled leaves the channel, and the others find it closed: that is not the reason.
  if (!sum && zokio::cancelled()) sum = zokio::fail(Errc::Cancelled, "synthetic.channel");
  if (sum && (*sum != traffic.sent_sum || traffic.received != traffic.messages))
    sum = zokio::fail(Errc::DataLoss, "synthetic.channel");
  co_return synthetic::conclude(sum, {traffic.messages, 0, {}}, "synthetic.channel",
                                "what was received is not what was sent");
}

}  // namespace

const KindInfo kSyntheticChannel = {.name = SyntheticChannelSpec::kKind,
                                    .summary = "producers and consumers on one bounded channel",
                                    .allowed = synthetic::allowed,
                                    .validate = validate,
                                    .authorize = synthetic::authorize,
                                    .run = run};

}  // namespace zokiod::kinds
