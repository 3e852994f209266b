// SPDX-License-Identifier: Apache-2.0
//! The Tokio program of `./dev bench sched`: the workloads of ../README.md, written as a careful
//! user of Tokio would.

mod harness;
mod memory;
mod spawn;
mod sync;
mod time;
mod turn;

use harness::{Config, ALL_OK};
use std::sync::atomic::Ordering;
use tokio::runtime::{Builder, Runtime};

pub fn start(config: &Config) -> Runtime {
    // As many blocking threads as workers, for every peer: the pool's default size is no property
    // of its speed.
    Builder::new_multi_thread()
        .worker_threads(config.workers)
        .max_blocking_threads(config.workers)
        .enable_all()
        .build()
        .unwrap()
}

type Run = fn(&Config);

fn main() {
    let all: Vec<(&str, Run)> = [
        &spawn::WORKLOADS[..],
        &turn::WORKLOADS[..],
        &sync::WORKLOADS[..],
        &time::WORKLOADS[..],
        &memory::WORKLOADS[..],
    ]
    .concat();
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() == 2 && arguments[1] == "list" {
        for (name, _) in all {
            println!("{}", name);
        }
        return;
    }
    let mut config = Config {
        workload: arguments[1].clone(),
        workers: arguments[2].parse().unwrap(),
        runs: 1,
        ms: 150.0,
    };
    for option in arguments[3..].chunks(2) {
        match option[0].as_str() {
            "--runs" => config.runs = option[1].parse().unwrap(),
            "--ms" => config.ms = option[1].parse().unwrap(),
            other => panic!("unknown option {}", other),
        }
    }
    match all.iter().find(|(name, _)| *name == config.workload) {
        None => std::process::exit(3),
        Some((_, run)) => run(&config),
    }
    if !ALL_OK.load(Ordering::Relaxed) {
        eprintln!("{}: a checksum differs", config.workload);
        std::process::exit(1);
    }
}
