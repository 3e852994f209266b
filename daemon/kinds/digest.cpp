// SPDX-License-Identifier: Apache-2.0
#include "kinds/digest.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <array>
#include <span>

#include "zokio/base/assert.h"

namespace zokiod::kinds {
namespace {

std::string hexadecimal(std::span<const unsigned char> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const unsigned char b : bytes) {
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}

}  // namespace

void Digest::FreeXxh::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}
void Digest::FreeEvp::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

// Failures here are those of malloc, and of a library without SHA-256.
Digest::Digest() : xxh_(XXH3_createState()), evp_(EVP_MD_CTX_new()) {
  ZOKIO_CHECK(xxh_ && evp_, "out of memory");
  ZOKIO_CHECK(XXH3_128bits_reset(xxh_.get()) == XXH_OK, "xxh3");
  ZOKIO_CHECK(EVP_DigestInit_ex(evp_.get(), EVP_sha256(), nullptr) == 1, "sha256");
}

void Digest::update(zokio::Bytes bytes) {
  ZOKIO_CHECK(XXH3_128bits_update(xxh_.get(), bytes.data(), bytes.size()) == XXH_OK, "xxh3");
  ZOKIO_CHECK(EVP_DigestUpdate(evp_.get(), bytes.data(), bytes.size()) == 1, "sha256");
}

std::string Digest::xxh3() {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(xxh_.get()));
  return hexadecimal(canonical.digest);
}

std::string Digest::sha256() {
  std::array<unsigned char, 32> out{};
  ZOKIO_CHECK(EVP_DigestFinal_ex(evp_.get(), out.data(), nullptr) == 1, "sha256");
  return hexadecimal(out);
}

}  // namespace zokiod::kinds
