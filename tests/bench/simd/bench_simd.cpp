// SPDX-License-Identifier: Apache-2.0

// The batch kernels in GB/s: every variant that the processor runs, and beside them what the C
// library offers for the same task, where it does. Best of several runs of about 10 ms.
//
//   bench_simd            a table over sizes from 64 B to 64 MiB

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "simd/kernels.h"
#include "zokio/simd/scan.h"

namespace zokio::simd {
namespace {

using Clock = std::chrono::steady_clock;

// What is computed must be used.
volatile uint64_t sink;

double best_gb_per_s(std::size_t bytes, const std::function<uint64_t()>& work) {
  const std::size_t rounds = std::max<std::size_t>(1, (std::size_t{32} << 20) / (bytes + 64));
  double best = 0;
  for (int run = 0; run < 7; ++run) {
    const auto start = Clock::now();
    uint64_t sum = 0;
    for (std::size_t i = 0; i < rounds; ++i) sum += work();
    const std::chrono::duration<double> took = Clock::now() - start;
    sink = sum;
    best = std::max(best, static_cast<double>(rounds * bytes) / took.count() / 1e9);
  }
  return best;
}

struct Input {
  std::vector<uint8_t> bytes;  // words of the pattern
  std::vector<uint8_t> text;   // a line end every 64 bytes
  std::vector<uint8_t> same;   // equal to bytes
  std::vector<uint8_t> other;
  std::vector<uint8_t> zeros;
  std::vector<uint32_t> places;
};

struct Row {
  std::string name;
  std::function<uint64_t(Input&)> work;
};

std::vector<Row> rows_of(const Kernels& k) {
  const std::string name = std::string(" ") + k.name;
  const auto size = [](const Input& in) { return in.text.size(); };
  return {
      {"crc32c" + name, [&k, size](Input& in) { return k.crc32c(0, in.text.data(), size(in)); }},
      {"xxh3" + name, [&k, size](Input& in) { return k.xxh3(in.text.data(), size(in), 0); }},
      {"fill" + name,
       [&k, size](Input& in) {
         k.fill_words(in.bytes.data(), size(in) / 8, 5);
         return uint64_t{in.bytes[0]};
       }},
      {"verify" + name,
       [&k, size](Input& in) { return k.damaged_word(in.bytes.data(), size(in) / 8, 5); }},
      {"scan of one byte" + name,
       [&k, size](Input& in) {
         const ByteSet set("\n");
         return k
             .find_bytes(in.text.data(), size(in), set.bytes().data(), in.places.data(),
                         in.places.size())
             .count;
       }},
      {"scan of \\r\\n" + name,
       [&k, size](Input& in) {
         return k.find_crlf(in.text.data(), size(in), in.places.data(), in.places.size()).count;
       }},
      {"histogram" + name,
       [&k, size](Input& in) {
         std::array<uint64_t, 256> counts{};
         k.count_bytes(in.text.data(), size(in), counts.data());
         return counts['\n'];
       }},
      {"histogram of zeros" + name,
       [&k, size](Input& in) {
         std::array<uint64_t, 256> counts{};
         k.count_bytes(in.zeros.data(), size(in), counts.data());
         return counts[0];
       }},
  };
}

// Of the C library, and the loop everybody writes.
std::vector<Row> others() {
  return {
      {"fill memset",
       [](Input& in) {
         std::memset(in.other.data(), static_cast<int>(sink & 1), in.other.size());
         return uint64_t{in.other[0]};
       }},
      {"verify memcmp",
       [](Input& in) {
         return static_cast<uint64_t>(
             std::memcmp(in.bytes.data(), in.same.data(), in.bytes.size()));
       }},
      {"scan of one byte memchr",
       [](Input& in) {
         std::size_t count = 0;
         const uint8_t* p = in.text.data();
         const uint8_t* end = p + in.text.size();
         while (p < end) {
           p = static_cast<const uint8_t*>(std::memchr(p, '\n', static_cast<std::size_t>(end - p)));
           if (p == nullptr) break;
           in.places[count++] = static_cast<uint32_t>(p++ - in.text.data());
         }
         return count;
       }},
      {"histogram one_table",
       [](Input& in) {
         std::array<uint64_t, 256> counts{};
         for (uint8_t b : in.text) ++counts[b];
         return counts['\n'];
       }},
      {"histogram of zeros one_table",
       [](Input& in) {
         std::array<uint64_t, 256> counts{};
         for (uint8_t b : in.zeros) ++counts[b];
         return counts[0];
       }},
  };
}

void run() {
  const std::array<std::size_t, 4> sizes{64, 4096, std::size_t{256} << 10, std::size_t{64} << 20};
  std::vector<Input> inputs;
  for (std::size_t n : sizes) {
    Input in{std::vector<uint8_t>(n), std::vector<uint8_t>(n), std::vector<uint8_t>(n),
             std::vector<uint8_t>(n), std::vector<uint8_t>(n), std::vector<uint32_t>(n / 8)};
    for (std::size_t i = 0; i < n; ++i)
      in.text[i] = static_cast<uint8_t>(i % 64 == 62   ? '\r'
                                        : i % 64 == 63 ? '\n'
                                                       : ' ' + i * 7 % 90);
    kScalar.fill_words(in.bytes.data(), n / 8, 5);
    in.same = in.bytes;
    inputs.push_back(std::move(in));
  }
  std::vector<Row> rows = others();
  for (std::size_t i = 0; i < variants().count; ++i) {
    for (Row& row : rows_of(*variants().list[i])) rows.push_back(std::move(row));
  }
  std::ranges::sort(rows, {}, [](const Row& row) { return row.name; });
  std::printf("%-28s %9s %9s %9s %9s   GB/s\n", "", "64 B", "4 KiB", "256 KiB", "64 MiB");
  for (const Row& row : rows) {
    std::printf("%-28s", row.name.c_str());
    for (Input& in : inputs)
      std::printf(" %9.2f", best_gb_per_s(in.text.size(), [&] { return row.work(in); }));
    std::printf("\n");
  }
}

}  // namespace
}  // namespace zokio::simd

int main() {
  zokio::simd::run();
}
