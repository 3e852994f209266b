// SPDX-License-Identifier: Apache-2.0
#include "cli.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <ostream>
#include <sstream>

#include "commands/command.h"
#include "units.h"

namespace zokioctl {
namespace {

// In the order of the help.
constexpr AddCommand kCommands[] = {add_submit, add_run,    add_job,    add_queue, add_resize,
                                    add_stats,  add_status, add_health, add_drain, add_reload,
                                    add_admin,  add_soak,   add_version};

constexpr const char* kDescription =
    "zokioctl drives zokiod: jobs that survive a restart, and a runtime that is resized while it "
    "runs.\n"
    "\n"
    "  zokioctl run exec -- ls -l /            run a command, see its output, get its exit code\n"
    "  zokioctl submit file.checksum /srv/data hand over a job and go\n"
    "  zokioctl job list                       what became of them\n"
    "  zokioctl resize workers=8               more workers, now\n"
    "  zokioctl stats                          every figure";

// CLI11's, but the list of commands has one line for each; the rest is in the command's own help.
class HelpText : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override {
    return CLI::Formatter::make_description(app) + "\n";
  }
  std::string make_subcommand(const CLI::App* command) const override {
    const std::string about = command->get_description();
    std::stringstream out;
    CLI::detail::format_help(out, command->get_name(), about.substr(0, about.find('\n')),
                             column_width_);
    return out.str();
  }
};

void add_global_options(CLI::App& app, Context& context) {
  app.add_option("--address", context.address, "Socket of zokiod, unix:///PATH")
      ->envname("ZOKIO_ADDRESS")
      ->capture_default_str();
  static const std::map<std::string, Format> kFormats = {{"table", Format::Table},
                                                         {"json", Format::Json},
                                                         {"jsonl", Format::Jsonl},
                                                         {"name", Format::Name}};
  app.add_option("-o,--output", context.format,
                 "table; json: one document; jsonl: one line for each item; name: ids only")
      ->transform(CLI::CheckedTransformer(kFormats).description(""))
      ->type_name("FORMAT")
      ->default_str("table");
  add_duration(app, "--timeout", context.timeout,
               "Give up when zokiod does not answer within this (10s; waiting has its own)");
  app.add_flag("-q,--quiet", context.quiet, "No messages on stderr but errors");
  app.add_flag_callback(
      "--no-color", [&context] { context.color_out = context.color_err = false; },
      "No colours; also by NO_COLOR. There are none when the output is no terminal");
}

// Options of CLI11 may follow the command; the words after "--" are nobody's but the job's.
std::vector<std::string> split_rest(const std::vector<std::string>& arguments, Context& context) {
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  if (dashes != arguments.end()) context.rest.assign(dashes + 1, arguments.end());
  return {arguments.begin(), dashes};
}

}  // namespace

void print_json(Context& context, const google::protobuf::Message& message) {
  if (context.format == Format::Jsonl)
    context.out << json_line(message) << '\n';
  else
    context.out << json_document(message);
}

CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::nanoseconds& value,
                          const std::string& text) {
  return app
      .add_option_function<std::string>(
          name,
          [&value, name](const std::string& word) {
            const auto parsed = parse_duration(word);
            if (!parsed)
              throw CLI::ValidationError(name, "\"" + word + "\": want 10s, 5m, 2h, ...");
            value = *parsed;
          },
          text)
      ->type_name("DURATION");
}

int run_cli(const std::vector<std::string>& arguments, Context& context) {
  CLI::App app(kDescription, "zokioctl");
  app.formatter(std::make_shared<HelpText>());
  app.get_formatter()->column_width(30);
  app.require_subcommand(1);
  app.fallthrough();
  Action action;
  add_global_options(app, context);
  for (AddCommand add : kCommands) add(app, context, action);
  app.footer(std::string(exit_code_help()));  // after the commands, which would inherit it
  std::vector<std::string> words = split_rest(arguments, context);
  if (words.empty() && context.rest.empty()) {
    context.out << app.help();
    return kExitOk;
  }
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::Success& help) {
    app.exit(help, context.out, context.err);
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return context.report(usage(error.what(), "zokioctl --help, or zokioctl COMMAND --help"));
  }
  return action();
}

}  // namespace zokioctl
