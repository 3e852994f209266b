// SPDX-License-Identifier: Apache-2.0
#pragma once

// A client of zokiod for tests that kill it: every call is repeated until it is answered, with the
// same request_id, as a careful client would. No gRPC header here, so tests compile in a second.
// Thread: any.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace zokio::test {

struct Work {
  std::string kind{};  // "synthetic.spawn", "synthetic.alloc", "exec", ...
  uint64_t seed = 0;
  uint64_t size = 0;                // tasks, operations or bytes
  std::vector<std::string> argv{};  // exec
  std::string path{};               // file.checksum
};

struct Accepted {
  std::string id;
  bool duplicate = false;
};

struct JobView {
  std::string id;
  std::string request_id;
  int state = 0;  // the numbers of JobState; 4 and above are final
  uint32_t attempt = 0;
  uint32_t interruptions = 0;
  std::string error;
};

struct Sizes {
  std::optional<uint32_t> workers{}, reactors{};
  std::map<std::string, uint64_t> pools{};
};

class EngineClient {
 public:
  explicit EngineClient(const std::string& address);
  ~EngineClient();

  // Until it is acknowledged; nullopt after `limit`, or when it is refused for good.
  std::optional<Accepted> submit(const Work& work, const std::string& request_id,
                                 std::chrono::seconds limit);
  // One try: "" when it was taken, else the name of the code.
  std::string try_submit(const Work& work);
  // Every job, page by page. nullopt: a call failed.
  std::optional<std::vector<JobView>> list(const std::vector<int>& states = {});
  std::optional<JobView> get(const std::string& id);
  // "" or the error.
  std::string resize(const Sizes& sizes);
  // Workers and reactors as they are.
  std::optional<std::pair<uint32_t, uint32_t>> actual();
  // Starts a drain and does not wait for it.
  bool drain(std::chrono::milliseconds deadline);
  std::string health(const std::string& service);  // "SERVING", "NOT_SERVING", or an error

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The body of a GET on 127.0.0.1; empty when it fails.
std::string http_get(uint16_t port, const std::string& path);

}  // namespace zokio::test
