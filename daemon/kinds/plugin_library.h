// SPDX-License-Identifier: Apache-2.0
#pragma once

// A plugin's library: loaded once from exactly the bytes whose digest was compared.
//
// The file is copied into sealed memory, the copy is digested, and the copy is loaded: whoever can
// write to the file afterwards, or swap it, changes nothing. A library is never unloaded; another
// digest is another library. Thread: any; load() blocks.

#include <string>

#include "kinds/zokio_plugin.h"
#include "model/plugin_rule.h"
#include "model/report.h"

namespace zokiod::kinds {

// PLUGIN_DIGEST (both digests are named), PLUGIN_ABI, PLUGIN_UNUSABLE, and errors of reading.
model::Reported<const zokio_plugin*> load_plugin(const model::PluginRule& rule);

}  // namespace zokiod::kinds
