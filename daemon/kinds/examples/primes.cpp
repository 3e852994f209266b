// SPDX-License-Identifier: Apache-2.0
// A plugin in C++: counts the primes below the argument "below" in coroutines, on a runtime of its
// own. The runtime is linked into the library, so that it shares nothing with the daemon's.
#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "kinds/zokio_plugin.h"
#include "zokio/zokio.h"

namespace {

constexpr uint64_t kParts = 8;
constexpr uint64_t kStride = 256;

bool is_prime(uint64_t n) {
  if (n < 2) return false;
  for (uint64_t d = 2; d * d <= n; ++d)
    if (n % d == 0) return false;
  return true;
}

zokio::Task<zokio::Result<uint64_t>> count_part(const zokio_host* host, uint64_t first,
                                                uint64_t below) {
  uint64_t found = 0, looked_at = 0;
  for (uint64_t n = first; n < below; n += kParts) {
    found += is_prime(n) ? 1 : 0;
    if (++looked_at % kStride != 0) continue;
    if (host->cancelled(host->context) != 0)
      co_return zokio::fail(zokio::Errc::Cancelled, "primes");
    co_await zokio::yield_now();
  }
  co_return found;
}

zokio::Task<zokio::Result<uint64_t>> count_all(const zokio_host* host, uint64_t below) {
  std::vector<zokio::Task<zokio::Result<uint64_t>>> parts;
  for (uint64_t i = 0; i < kParts; ++i) parts.push_back(count_part(host, i, below));
  uint64_t found = 0;
  for (const auto& part : co_await zokio::when_all(std::move(parts))) {
    ZOKIO_CO_TRY(const uint64_t n, part);
    found += n;
  }
  co_return found;
}

uint64_t argument(const zokio_host* host, std::string_view name) {
  for (uint32_t i = 0; i < host->argument_count; ++i)
    if (name == host->arguments[i].name)
      return std::strtoull(host->arguments[i].value, nullptr, 10);
  return 0;
}

int run(const zokio_host* host) noexcept {
  zokio::RuntimeOptions options;
  options.workers = 2;
  auto runtime = zokio::Runtime::create(options);
  if (!runtime) {
    host->fail(host->context, "NO_RUNTIME", runtime.error().to_string().c_str());
    return 1;
  }
  const auto found = (*runtime)->block_on(&count_all, host, argument(host, "below"));
  if (!found) return 1;
  const std::string text = std::to_string(*found);
  host->result(host->context, text.data(), text.size());
  return 0;
}

constexpr zokio_plugin kDescription = {sizeof(zokio_plugin), ZOKIO_PLUGIN_ABI, "primes", "1.0",
                                       run};

}  // namespace

const zokio_plugin* zokio_plugin_entry() {
  return &kDescription;
}
