// SPDX-License-Identifier: Apache-2.0
#pragma once

// Names of functions from addresses of code.
//
// Coroutines run in functions that are local to their object file, which dladdr() does not see, so
// the symbol tables of the loaded files are read: .symtab, or .dynsym of a stripped one. A stripped
// program gives "file+0x1234". Names are kept for the life of the process.
// Thread: any; takes a lock and memory, so not from a signal handler.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <mutex>

#include "zokio/base/pinned.h"

namespace zokio::sched {

class Symbols : Pinned {
 public:
  // Never destroyed: names outlive every runtime.
  static Symbols& instance();

  // The function that `code` lies in. Valid for ever.
  std::string_view name(const void* code);
  // The same for the return address of a call.
  std::string_view caller(const void* return_address) {
    return name(static_cast<const char*>(return_address) - 1);
  }

 private:
  struct Function {
    uintptr_t begin;
    uintptr_t end;
    const char* name;  // in the mapped file
  };
  // A loaded file.
  struct Module {
    uintptr_t bias;
    uintptr_t begin;
    uintptr_t end;
    std::string path;
    bool read = false;
    std::vector<Function> functions;  // by begin
  };

  Symbols() = default;
  void find_modules();
  Module* module_of(uintptr_t address);
  static void read_functions(Module& module);
  static std::string resolve(Module& module, uintptr_t address);

  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<Module> modules_;
  std::unordered_map<uintptr_t, std::string> names_;
};

}  // namespace zokio::sched
