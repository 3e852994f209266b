// SPDX-License-Identifier: Apache-2.0
#pragma once

// XXH3-128 and SHA-256 of one stream: the first is fast and finds damage, the second also
// withstands somebody who wants it not found. Thread: one at a time.

#include <memory>
#include <string>

#include "zokio/base/bytes.h"

struct evp_md_ctx_st;
struct XXH3_state_s;

namespace zokiod::kinds {

class Digest {
 public:
  Digest();
  void update(zokio::Bytes bytes);
  void update(std::string_view text) { update(zokio::as_bytes(text)); }

  // Lower case hexadecimal: 32 and 64 digits. The stream ends with the first of them.
  std::string xxh3();
  std::string sha256();

 private:
  struct FreeXxh {
    void operator()(XXH3_state_s* state) const;
  };
  struct FreeEvp {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<XXH3_state_s, FreeXxh> xxh_;
  std::unique_ptr<evp_md_ctx_st, FreeEvp> evp_;
};

}  // namespace zokiod::kinds
