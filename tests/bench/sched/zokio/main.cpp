// SPDX-License-Identifier: Apache-2.0
//
// The zokio program of `./dev bench sched`; README.md says what each workload is.

#include "bench.h"

int main(int argc, char** argv) {
  std::vector<bench::Workload> all{{"control", &bench::control}};
  for (auto theme : {bench::spawn_workloads(), bench::tree_workloads(), bench::fork_workloads(),
                     bench::turn_workloads(), bench::sync_workloads(),
                     bench::time_workloads(), bench::blocking_workloads(),
                     bench::parked_workloads(), bench::wake_workloads()})
    all.insert(all.end(), theme.begin(), theme.end());
  return bench::main_of(argc, argv, all);
}
