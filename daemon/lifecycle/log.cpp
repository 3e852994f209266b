// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/log.h"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace zokiod::lifecycle {
namespace {

// %Q: the priority as sd-daemon(3) wants it, "<4>".
class Priority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    int priority = 7;
    switch (message.level) {
      case spdlog::level::critical:
        priority = 2;
        break;
      case spdlog::level::err:
        priority = 3;
        break;
      case spdlog::level::warn:
        priority = 4;
        break;
      case spdlog::level::info:
        priority = 6;
        break;
      default:
        break;
    }
    fmt::format_to(fmt::appender(out), "<{}>", priority);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return spdlog::details::make_unique<Priority>();
  }
};

}  // namespace

bool logs_to_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");  // "device:inode"
  struct stat s{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &s) != 0) return false;
  return fmt::format("{}:{}", s.st_dev, s.st_ino) == stream;
}

void start_log(const std::string& level) {
  auto logger =
      std::make_shared<spdlog::logger>("zokiod", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (logs_to_journal()) {
    formatter->add_flag<Priority>('Q').set_pattern("%Q%v");
  } else {
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v");
  }
  logger->set_formatter(std::move(formatter));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  set_log_level(level);
}

void set_log_level(const std::string& level) {
  // spdlog calls "warn" and "error" by other names as well; these are the ones of config.h.
  spdlog::set_level(level == "error" ? spdlog::level::err : spdlog::level::from_str(level));
}

}  // namespace zokiod::lifecycle
