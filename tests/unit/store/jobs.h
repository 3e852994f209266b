// SPDX-License-Identifier: Apache-2.0
#pragma once

// Jobs at every step of their life, for the tests of this folder.

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "store/journal.h"

namespace zokiod::store {

inline model::JobIdSource& ids() {
  static model::JobIdSource source;
  return source;
}

inline Job new_job(std::string request_id = {}) {
  Job job;
  job.id = ids().next();
  job.spec.work = model::FileCopySpec{"/a", "/b", false};
  job.request_id = std::move(request_id);
  job.principal = {1000, 1000};
  job.created = job.queued = model::WallTime::now();
  return job;
}

// The job after `trigger`; a start gets the next attempt number.
inline Job after(Job job, model::Trigger trigger) {
  const auto moved = transition(job.state, trigger);
  if (!moved) std::abort();
  if (trigger == model::Trigger::Start) {
    ++job.attempt;
    job.started = model::WallTime::now();
  }
  if (is_terminal(job.state)) job.finished = model::WallTime::now();
  return job;
}

// A directory of its own, removed with everything in it.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "zokio-store-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace zokiod::store
