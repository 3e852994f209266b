// SPDX-License-Identifier: Apache-2.0
#pragma once

// The runtime of the programs on zokio.

#include <zokio/zokio.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>

namespace bench::io {

// On the backend that ZOKIO_BENCH_BACKEND names.
inline std::unique_ptr<zokio::Runtime> start(unsigned workers) {
  zokio::RuntimeOptions options;
  options.workers = workers;
  options.blocking_threads = workers;
  const char* backend = std::getenv("ZOKIO_BENCH_BACKEND");
  options.backend = backend != nullptr && std::string_view(backend) == "epoll"
                        ? zokio::Backend::Epoll
                        : zokio::Backend::Uring;
  auto runtime = zokio::Runtime::create(options);
  if (!runtime) {
    std::fprintf(stderr, "no runtime: %s\n", runtime.error().where);
    std::exit(2);
  }
  return std::move(*runtime);
}

}  // namespace bench::io
