// SPDX-License-Identifier: Apache-2.0
#include "store/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "store/sqlite.h"
#include "zokio/os/fd.h"

namespace zokiod::store {
namespace {

using model::Reported;
using zokio::Errc;
using zokio::Error;

constexpr size_t kNameBytesMax = 128;
// Pages of one step; between steps the source is not locked in any way that a writer could meet.
constexpr int kStepPages = 1024;

Reported<> check_name(const std::string& name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (!name.empty() && name.size() <= kNameBytesMax && name.front() != '.' &&
      std::ranges::all_of(name, plain))
    return {};
  const std::string text =
      fmt::format("\"{}\" is no file name of 1 to {} letters, digits, . _ -, the first no dot",
                  name.substr(0, 80), kNameBytesMax);
  model::Report out =
      model::make_report(Errc::InvalidArgument, model::reason::kInvalidField, "name: " + text);
  out.violations.push_back({"name", text});
  return model::refuse(std::move(out));
}

std::unexpected<model::Report> os_failure(const char* what, const std::string& path) {
  return model::refuse(
      model::make_report(Error::from_errno(errno, what), fmt::format("{} {}", what, path)));
}

Reported<> copy_pages(const std::string& from, const std::string& to, uint64_t& jobs) {
  Database source;
  Database copy;
  if (auto opened = source.open(from); !opened) return opened;
  if (auto opened = copy.open(to); !opened) return opened;
  const auto failed = [&](Error error, Database& db) {
    return model::refuse(model::make_report(error, fmt::format("backup: {}", db.message())));
  };
  sqlite3_backup* backup = sqlite3_backup_init(copy.handle(), "main", source.handle(), "main");
  if (backup == nullptr) return failed(Error(Errc::Unavailable, "sqlite backup"), copy);
  // One read transaction holds the state over all steps: the copy is of one moment.
  if (auto held = source.execute("BEGIN; SELECT count(*) FROM sqlite_schema"); !held) {
    sqlite3_backup_finish(backup);
    return failed(held.error(), source);
  }
  int rc = SQLITE_OK;
  while (rc == SQLITE_OK) rc = sqlite3_backup_step(backup, kStepPages);
  sqlite3_backup_finish(backup);
  if (rc != SQLITE_DONE) return failed(sqlite_error(rc, "sqlite backup"), copy);
  // A single file, with nothing beside it.
  if (auto done = copy.execute("PRAGMA journal_mode = DELETE"); !done)
    return failed(done.error(), copy);
  if (auto sound = check_integrity(copy, to); !sound) return sound;
  const auto count = copy.query_int("SELECT count(*) FROM jobs");
  if (!count) return failed(count.error(), copy);
  jobs = static_cast<uint64_t>(*count);
  return {};
}

Reported<uint64_t> sync_file(const std::string& path) {
  const zokio::os::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status{};
  if (!file || ::fsync(file.get()) != 0 || ::fstat(file.get(), &status) != 0)
    return os_failure("sync", path);
  return static_cast<uint64_t>(status.st_size);
}

}  // namespace

Reported<BackupInfo> backup_database(const std::string& from, const std::string& directory,
                                     const std::string& name) {
  if (auto ok = check_name(name); !ok) return std::unexpected(std::move(ok.error()));
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return os_failure("mkdir", directory);
  BackupInfo out;
  out.path = directory + "/" + name;
  const std::string part = fmt::format("{}/.{}.part", directory, name);
  {
    const zokio::os::Fd mine(
        ::open(part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!mine) return os_failure("create", part);
  }
  Reported<> copied = copy_pages(from, part, out.jobs);
  if (copied) {
    if (auto size = sync_file(part))
      out.bytes = *size;
    else
      copied = std::unexpected(std::move(size.error()));
  }
  // link() refuses a name that is taken; a rename would replace it.
  const bool taken = copied && ::link(part.c_str(), out.path.c_str()) != 0 && errno == EEXIST;
  ::unlink(part.c_str());
  ::unlink((part + "-journal").c_str());
  if (!copied) return std::unexpected(std::move(copied.error()));
  if (taken)
    return model::refuse(Errc::AlreadyExists, "BACKUP_EXISTS", out.path + " is there already");
  const zokio::os::Fd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent || ::fsync(parent.get()) != 0) return os_failure("sync", directory);
  return out;
}

}  // namespace zokiod::store
