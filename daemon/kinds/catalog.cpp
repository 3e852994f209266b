// SPDX-License-Identifier: Apache-2.0
#include "kinds/catalog.h"

#include <array>

namespace zokiod::kinds {
namespace {

constexpr std::array<const KindInfo*, 6> kKinds = {
    &kExec, &kFileChecksum, &kFileCopy, &kSyntheticAlloc, &kSyntheticFile, &kSyntheticSpawn};

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
