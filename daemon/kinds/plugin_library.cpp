// SPDX-License-Identifier: Apache-2.0
#include "kinds/plugin_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <mutex>

#include "kinds/digest.h"
#include "zokio/os/fd.h"

namespace zokiod::kinds {
namespace {

using model::Reported;
using zokio::Errc;
using zokio::os::Fd;

constexpr off_t kLibraryBytesMax = 256 << 20;
// Fields that every plugin of this ABI has.
constexpr uint32_t kPluginSizeMin = sizeof(zokio_plugin);

std::unexpected<model::Report> os_failure(std::string_view what, const std::string& path) {
  return model::refuse(model::make_report(zokio::Error::from_errno(errno, "plugin"),
                                          fmt::format("{} {}", what, path)));
}

std::unexpected<model::Report> unusable(const std::string& path, std::string_view why) {
  return model::refuse(Errc::FailedPrecondition, "PLUGIN_UNUSABLE",
                       fmt::format("{}: {}", path, why));
}

// No link at the end, no FIFO that is waited for.
Reported<Fd> open_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return os_failure("open", path);
  struct stat attributes{};
  if (::fstat(fd.get(), &attributes) != 0) return os_failure("stat", path);
  if (!S_ISREG(attributes.st_mode)) return unusable(path, "is no regular file");
  if (attributes.st_size > kLibraryBytesMax) return unusable(path, "is above 256 MiB");
  return fd;
}

bool write_whole(int to, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t n = ::write(to, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// Sealed, and the digest of what is in it.
Reported<Fd> sealed_copy(int from, const std::string& path, std::string& sha256) {
  Fd copy(::memfd_create("zokio-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) return os_failure("copy", path);
  Digest digest;
  static constexpr size_t kPiece = 64 * 1024;
  std::string piece(kPiece, '\0');
  for (off_t total = 0;;) {
    const ssize_t n = ::read(from, piece.data(), kPiece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_failure("read", path);
    if (n == 0) break;
    total += n;
    if (total > kLibraryBytesMax) return unusable(path, "is above 256 MiB");
    digest.update(std::string_view(piece).substr(0, static_cast<size_t>(n)));
    if (!write_whole(copy.get(), piece.data(), static_cast<size_t>(n)))
      return os_failure("copy", path);
  }
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  if (::fcntl(copy.get(), F_ADD_SEALS, kSeals) != 0) return os_failure("seal", path);
  sha256 = digest.sha256();
  return copy;
}

Reported<const zokio_plugin*> entry_of(void* library, const std::string& path) {
  void* symbol = ::dlsym(library, "zokio_plugin_entry");
  if (symbol == nullptr) return unusable(path, "exports no zokio_plugin_entry");
  const zokio_plugin* plugin = reinterpret_cast<const zokio_plugin* (*)()>(symbol)();
  if (plugin == nullptr) return unusable(path, "zokio_plugin_entry returned nothing");
  if (plugin->abi != ZOKIO_PLUGIN_ABI || plugin->size < kPluginSizeMin)
    return model::refuse(
        Errc::FailedPrecondition, "PLUGIN_ABI",
        fmt::format("{}: ABI {} of {} bytes, want ABI {} of at least {} bytes", path, plugin->abi,
                    plugin->size, ZOKIO_PLUGIN_ABI, kPluginSizeMin));
  if (plugin->run == nullptr || plugin->name == nullptr || plugin->version == nullptr)
    return unusable(path, "a name, a version or run() is missing");
  return plugin;
}

// Loaded ones by digest, for the life of the process. The descriptor of a copy stays open: the
// loader knows a library by its name, "/proc/self/fd/N", which must not come again for another.
struct Loaded {
  std::mutex mutex;
  std::map<std::string, const zokio_plugin*> by_digest;  // guarded by mutex
  static Loaded& of_process() {
    static Loaded* loaded = new Loaded;
    return *loaded;
  }
};

}  // namespace

Reported<const zokio_plugin*> load_plugin(const model::PluginRule& rule) {
  Loaded& loaded = Loaded::of_process();
  std::lock_guard lock(loaded.mutex);
  if (const auto it = loaded.by_digest.find(rule.sha256); it != loaded.by_digest.end())
    return it->second;
  auto file = open_file(rule.path);
  if (!file) return std::unexpected(std::move(file.error()));
  std::string sha256;
  auto copy = sealed_copy(file->get(), rule.path, sha256);
  if (!copy) return std::unexpected(std::move(copy.error()));
  if (sha256 != rule.sha256)
    return model::refuse(
        Errc::PermissionDenied, "PLUGIN_DIGEST",
        fmt::format("{} has SHA-256 {}, policy.plugins allows {}", rule.path, sha256, rule.sha256));
  const std::string name = fmt::format("/proc/self/fd/{}", copy->get());
  void* library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    return unusable(rule.path, why ? why : "cannot be loaded");
  }
  static_cast<void>(copy->release());
  auto plugin = entry_of(library, rule.path);
  if (plugin) loaded.by_digest.emplace(rule.sha256, *plugin);
  return plugin;
}

}  // namespace zokiod::kinds
