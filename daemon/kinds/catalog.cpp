// SPDX-License-Identifier: Apache-2.0
#include "kinds/catalog.h"

#include <array>

namespace zokiod::kinds {
namespace {

constexpr std::array<const KindInfo*, 18> kKinds = {
    &kExec,           &kFileChecksum,   &kFileCompress,   &kFileCopy,         &kFileDecompress,
    &kFileScrub,      &kPlugin,         &kSyntheticAlloc, &kSyntheticChannel, &kSyntheticFanout,
    &kSyntheticFile,  &kSyntheticSpawn, &kSyntheticSpin,  &kSyntheticTcp,     &kSyntheticTimer,
    &kSyntheticYield, &kTcpEcho,        &kTcpProxy};

}  // namespace

std::span<const KindInfo* const> catalog() {
  return kKinds;
}

const KindInfo* find_kind(std::string_view name) {
  for (const KindInfo* kind : kKinds)
    if (kind->name == name) return kind;
  return nullptr;
}

}  // namespace zokiod::kinds
