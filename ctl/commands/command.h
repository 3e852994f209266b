// SPDX-License-Identifier: Apache-2.0
#pragma once

// The interface of a command: one function that adds it to the tree. cli.cpp lists them.
//
//   void add_health(CLI::App& app, Context& context, Action& action) {
//     auto options = std::make_shared<Options>();
//     auto* command = app.add_subcommand("health", "...");
//     command->add_flag("--live", options->live, "...");
//     command->callback([&context, &action, options] {
//       action = [&context, options] { return run(context, *options); };
//     });
//   }
//
// The action runs after the whole line was parsed and returns the exit code. It prints data to
// context.out, everything else by context.say and context.report.

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>

#include "context.h"

namespace zokioctl {

using Action = std::function<int()>;
using AddCommand = void (*)(CLI::App& app, Context& context, Action& action);

void add_submit(CLI::App& app, Context& context, Action& action);
void add_run(CLI::App& app, Context& context, Action& action);
void add_job(CLI::App& app, Context& context, Action& action);
void add_admin(CLI::App& app, Context& context, Action& action);
void add_queue(CLI::App& app, Context& context, Action& action);
void add_resize(CLI::App& app, Context& context, Action& action);
void add_stats(CLI::App& app, Context& context, Action& action);
void add_status(CLI::App& app, Context& context, Action& action);
void add_drain(CLI::App& app, Context& context, Action& action);
void add_reload(CLI::App& app, Context& context, Action& action);
void add_health(CLI::App& app, Context& context, Action& action);
void add_soak(CLI::App& app, Context& context, Action& action);
void add_version(CLI::App& app, Context& context, Action& action);

// Parts of `job`, one file each.
void add_job_list(CLI::App& app, Context& context, Action& action);
void add_job_get(CLI::App& app, Context& context, Action& action);
void add_job_wait(CLI::App& app, Context& context, Action& action);
void add_job_watch(CLI::App& app, Context& context, Action& action);
void add_job_cancel(CLI::App& app, Context& context, Action& action);
void add_job_requeue(CLI::App& app, Context& context, Action& action);
void add_job_logs(CLI::App& app, Context& context, Action& action);

// Prints one message: a document for json, a line for jsonl.
void print_json(Context& context, const google::protobuf::Message& message);

// Durations and sizes as options: "10s", "64Mi".
CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::nanoseconds& value,
                          const std::string& text);

}  // namespace zokioctl
