// SPDX-License-Identifier: Apache-2.0
#include "sched/symbols.h"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace zokio::sched {
namespace {

// What a coroutine was split into has the name of the coroutine with one of these behind.
std::string_view without_suffix(std::string_view name) {
  for (const std::string_view suffix : {".resume", ".destroy", ".cleanup"}) {
    if (const auto at = name.find(suffix); at != std::string_view::npos) return name.substr(0, at);
  }
  return name;
}

std::string demangle(std::string_view symbol) {
  const std::string plain(without_suffix(symbol));
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(plain.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? std::string(text.get()) : plain;
}

// A file in memory, for good: the names in it are used later.
std::string_view map_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  struct stat status{};
  void* at = MAP_FAILED;
  if (::fstat(fd, &status) == 0 && status.st_size > 0)
    at = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  ::close(fd);
  if (at == MAP_FAILED) return {};
  return {static_cast<const char*>(at), static_cast<std::size_t>(status.st_size)};
}

// `count` objects at `offset` of the file; null when it does not hold them.
template <class T>
const T* part(std::string_view file, uint64_t offset, uint64_t count) {
  if (offset > file.size() || count > (file.size() - offset) / sizeof(T)) return nullptr;
  return reinterpret_cast<const T*>(file.data() + offset);
}

const ElfW(Shdr) * find_table(const ElfW(Shdr) * sections, unsigned count) {
  for (const ElfW(Word) type : {SHT_SYMTAB, SHT_DYNSYM})
    for (unsigned i = 0; i < count; ++i)
      if (sections[i].sh_type == type) return &sections[i];
  return nullptr;
}

}  // namespace

Symbols& Symbols::instance() {
  static Symbols& symbols = *new Symbols;
  return symbols;
}

std::string_view Symbols::name(const void* code) {
  const auto address = reinterpret_cast<uintptr_t>(code);
  std::scoped_lock guard(mutex_);
  auto [at, fresh] = names_.try_emplace(address);
  if (fresh) {
    Module* module = module_of(address);
    if (module != nullptr) {
      at->second = resolve(*module, address);
    } else {
      char text[32];
      std::snprintf(text, sizeof(text), "%p", code);
      at->second = text;
    }
  }
  return at->second;
}

Symbols::Module* Symbols::module_of(uintptr_t address) {
  for (const bool again : {false, true}) {
    if (again) find_modules();  // one that was loaded since
    for (Module& module : modules_)
      if (address >= module.begin && address < module.end) return &module;
  }
  return nullptr;
}

void Symbols::find_modules() {
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        auto& modules = *static_cast<std::vector<Module>*>(out);
        for (unsigned i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
          Module module;
          module.bias = info->dlpi_addr;
          module.begin = info->dlpi_addr + segment.p_vaddr;
          module.end = module.begin + segment.p_memsz;
          module.path = *info->dlpi_name != '\0' ? info->dlpi_name : "/proc/self/exe";
          const auto same = [&](const Module& known) {
            return known.begin == module.begin && known.path == module.path;
          };
          if (std::ranges::none_of(modules, same)) modules.push_back(std::move(module));
        }
        return 0;
      },
      &modules_);
}

void Symbols::read_functions(Module& module) {
  module.read = true;
  const std::string_view file = map_file(module.path);
  const auto* header = part<ElfW(Ehdr)>(file, 0, 1);
  if (header == nullptr || file.substr(0, SELFMAG) != ELFMAG) return;
  const auto* sections = part<ElfW(Shdr)>(file, header->e_shoff, header->e_shnum);
  if (sections == nullptr) return;
  const auto* table = find_table(sections, header->e_shnum);
  if (table == nullptr || table->sh_link >= header->e_shnum) return;
  const uint64_t count = table->sh_size / sizeof(ElfW(Sym));
  const auto* symbols = part<ElfW(Sym)>(file, table->sh_offset, count);
  const ElfW(Shdr)& strings = sections[table->sh_link];
  const auto* names = part<char>(file, strings.sh_offset, strings.sh_size);
  if (symbols == nullptr || names == nullptr || strings.sh_size == 0) return;
  if (names[strings.sh_size - 1] != '\0') return;
  for (uint64_t i = 0; i < count; ++i) {
    const ElfW(Sym)& symbol = symbols[i];
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0) continue;
    if (symbol.st_name >= strings.sh_size) continue;
    const uintptr_t begin = module.bias + symbol.st_value;
    module.functions.push_back({begin, begin + symbol.st_size, names + symbol.st_name});
  }
  std::ranges::sort(module.functions, {}, &Function::begin);
}

std::string Symbols::resolve(Module& module, uintptr_t address) {
  if (!module.read) read_functions(module);
  auto after = std::ranges::upper_bound(module.functions, address, {}, &Function::begin);
  if (after != module.functions.begin()) {
    const Function& function = *--after;
    // Hand-written code has no size.
    if (address < function.end || function.end == function.begin) return demangle(function.name);
  }
  char offset[24];
  std::snprintf(offset, sizeof(offset), "+0x%zx", static_cast<std::size_t>(address - module.bias));
  return module.path + offset;
}

}  // namespace zokio::sched
