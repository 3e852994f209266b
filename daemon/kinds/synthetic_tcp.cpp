// SPDX-License-Identifier: Apache-2.0
// synthetic.tcp: connections over loopback to an echo of its own; every byte that comes back is
// compared with the one that went out.
//
// Connection c sends the pattern of the key mix(seed, c). Checksum: the sum of mix(key ^ offset,
// size) over its blocks and all connections.

#include "kinds/buffers.h"
#include "kinds/catalog.h"
#include "kinds/synthetic.h"
#include "model/limits.h"
#include "zokio/io/copy.h"
#include "zokio/join.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/scope.h"
#include "zokio/simd/pattern.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticTcpSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Scope;
using zokio::Task;
using zokio::mem::Buffer;
using zokio::net::TcpStream;

constexpr uint32_t kConnectionsDefault = 4;
constexpr uint32_t kConnectionsMax = 1000;
constexpr uint64_t kSizeDefault = 1 << 20;
constexpr uint32_t kBlockDefault = 16 * 1024;
constexpr uint32_t kBlockMax = 1 << 20;
constexpr size_t kEchoBytes = 16 * 1024;

const SyntheticTcpSpec& spec_of(const model::JobSpec& spec) {
  return std::get<SyntheticTcpSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  const SyntheticTcpSpec& spec = spec_of(job);
  const std::string_view kind = "synthetic_tcp";
  synthetic::above(out, kind, "connections", spec.connections, kConnectionsMax);
  synthetic::above(out, kind, "size_bytes", spec.size_bytes, model::kSyntheticFileBytesMax);
  synthetic::above(out, kind, "block_bytes", spec.block_bytes, kBlockMax);
}

struct Traffic {
  uint64_t seed, size;
  uint32_t block;
  JobContext* context;
  uint64_t total = 0;
  std::atomic<uint64_t> bytes{0};
  zokio::net::TcpListener listener = {};
};

// A client that is not ours is served as well; one that fails is its own affair. At the end of the
// job all are cancelled, which is no failure.
Task<Result<void>> echo(TcpStream stream) {
  ZOKIO_CO_TRY(Buffer buffer, co_await lease_patiently(kEchoBytes));
  static_cast<void>(co_await zokio::io::copy(stream, stream, std::move(buffer)));
  static_cast<void>(stream.shutdown_write());
  co_return Result<void>();
}

Task<Result<void>> serve(Scope* scope, Traffic* traffic) {
  while (true) {
    Result<TcpStream> stream = co_await traffic->listener.accept();
    if (!stream && stream.error().os_errno == ECONNABORTED) continue;
    if (!stream && stream.error().code == Errc::Cancelled) co_return Result<void>();
    ZOKIO_CO_CHECKED(stream);
    scope->spawn(&echo, *std::move(stream)).detach();
  }
}

Task<Result<void>> send_all(Traffic* traffic, TcpStream* stream, uint64_t key) {
  ZOKIO_CO_TRY(Buffer buffer, co_await lease_patiently(traffic->block));
  for (uint64_t offset = 0; offset < traffic->size; offset += traffic->block) {
    const auto size = std::min<uint64_t>(traffic->block, traffic->size - offset);
    zokio::simd::fill_pattern(buffer.space().first(size), key, offset);
    buffer.resize(size);
    zokio::IoResult sent = co_await stream->write_all(std::move(buffer));
    if (!sent.n) co_return zokio::fail(sent.n.error());
    buffer = std::move(sent.buffer);
  }
  co_return stream->shutdown_write();
}

Task<Result<uint64_t>> receive_all(Traffic* traffic, TcpStream* stream, uint64_t key) {
  ZOKIO_CO_TRY(Buffer buffer, co_await lease_patiently(traffic->block));
  uint64_t sum = 0;
  for (uint64_t offset = 0; offset < traffic->size; offset += traffic->block) {
    const auto size = std::min<uint64_t>(traffic->block, traffic->size - offset);
    zokio::IoResult got = co_await stream->read_exactly(std::move(buffer), size);
    if (!got.n) co_return zokio::fail(got.n.error());
    buffer = std::move(got.buffer);
    if (zokio::simd::find_damage(buffer.bytes(), key, offset) != zokio::simd::kIntact)
      co_return zokio::fail(Errc::DataLoss, "synthetic.tcp");
    sum += mix(key ^ offset, size);
    const uint64_t bytes = traffic->bytes.fetch_add(size, std::memory_order_relaxed) + size;
    traffic->context->progress(bytes, traffic->total);
  }
  co_return sum;
}

Task<Result<uint64_t>> converse(Scope& scope, Traffic* traffic, TcpStream* stream, uint64_t key) {
  // Both directions at a time: two full socket buffers would wait for each other.
  scope.spawn(&send_all, traffic, stream, key).detach();
  co_return co_await receive_all(traffic, stream, key);
}

Task<Result<uint64_t>> connection(Traffic* traffic, zokio::net::Address to, uint64_t index) {
  ZOKIO_CO_TRY(TcpStream stream, co_await TcpStream::connect(to));
  co_return co_await zokio::with_scope(&converse, traffic, &stream, mix(traffic->seed, index));
}

Task<Result<uint64_t>> run_in_scope(Scope& scope, Traffic* traffic, uint32_t connections) {
  ZOKIO_CO_TRY(const zokio::net::Address to, traffic->listener.local_address());
  scope.spawn(&serve, &scope, traffic).detach();
  std::vector<Task<Result<uint64_t>>> all;
  for (uint32_t i = 0; i < connections; ++i) all.push_back(connection(traffic, to, i));
  const auto sums = co_await zokio::join_all(std::move(all));
  scope.cancel();
  co_return synthetic::sum_of(sums);
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const SyntheticTcpSpec& spec = spec_of(context.job().spec);
  const uint32_t connections = synthetic::or_default(spec.connections, kConnectionsDefault);
  Traffic traffic{spec.seed, synthetic::or_default(spec.size_bytes, kSizeDefault),
                  synthetic::or_default(spec.block_bytes, kBlockDefault), &context};
  traffic.total = connections * traffic.size;
  auto listener = zokio::net::TcpListener::bind(zokio::net::Address::loopback(0));
  if (!listener)
    co_return model::refuse(model::make_report(listener.error(), "listen on 127.0.0.1"));
  traffic.listener = *std::move(listener);
  const Result<uint64_t> sum = co_await zokio::with_scope(&run_in_scope, &traffic, connections);
  const uint64_t blocks = connections * ((traffic.size + traffic.block - 1) / traffic.block);
  co_return synthetic::conclude(sum, {blocks, 2 * traffic.total, {}}, "synthetic.tcp",
                                "what came back is not what was sent");
}

}  // namespace

const KindInfo kSyntheticTcp = {.name = SyntheticTcpSpec::kKind,
                                .summary = "loopback connections whose bytes are compared",
                                .allowed = synthetic::allowed,
                                .validate = validate,
                                .authorize = synthetic::authorize,
                                .run = run};

}  // namespace zokiod::kinds
