// SPDX-License-Identifier: Apache-2.0
//! Spawning, trees and chains: ../../zokio/spawn.cpp and tree.cpp.

use crate::harness::*;
use crate::start;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const TASKS: u64 = 10_000;
const FIB: u64 = 20;
const LEAVES: u64 = 100_000;
const DEPTH: u64 = 10_000;

pub const WORKLOADS: [(&str, fn(&Config)); 10] = [
    ("spawn_many_local", spawn_many_local),
    ("spawn_many_worker", spawn_many_worker),
    ("spawn_join", spawn_join),
    ("spawn_await_seq", spawn_await_seq),
    ("spawn_remote_idle", spawn_remote_idle),
    ("spawn_remote_busy", spawn_remote_busy),
    ("remote_roundtrip", remote_roundtrip),
    ("fib_tasks", fib_tasks),
    ("skynet_tasks", skynet_tasks),
    ("chained_spawn", chained_spawn),
];

fn spawn_many_local(config: &Config) {
    let runtime = start(config);
    let tally = forever(Tally::default());
    measure(config, TASKS, || {
        tally.expect(TASKS);
        for i in 0..TASKS {
            runtime.spawn(async move { tally.add(i) });
        }
        tally.wait();
        tally.is(sum_below(TASKS))
    });
}

fn spawn_many_worker(config: &Config) {
    let runtime = start(config);
    let tally = forever(Tally::default());
    measure(config, TASKS, || {
        tally.expect(TASKS);
        runtime.spawn(async move {
            for i in 0..TASKS {
                tokio::spawn(async move { tally.add(i) });
            }
        });
        tally.wait();
        tally.is(sum_below(TASKS))
    });
}

fn spawn_join(config: &Config) {
    let runtime = start(config);
    let mut handles = Some(Vec::with_capacity(TASKS as usize));
    measure(config, TASKS, || {
        let mut mine: Vec<JoinHandle<u64>> = handles.take().unwrap();
        let task = runtime.spawn(async move {
            for i in 0..TASKS {
                mine.push(tokio::spawn(async move { i }));
            }
            let mut sum = 0;
            for handle in mine.drain(..) {
                sum += handle.await.unwrap();
            }
            (sum, mine)
        });
        let (sum, mine) = runtime.block_on(task).unwrap();
        handles = Some(mine);
        sum == sum_below(TASKS)
    });
}

fn spawn_await_seq(config: &Config) {
    let runtime = start(config);
    measure(config, TASKS, || {
        let task = runtime.spawn(async {
            let mut sum = 0;
            for i in 0..TASKS {
                sum += tokio::spawn(async move { i }).await.unwrap();
            }
            sum
        });
        runtime.block_on(task).unwrap() == sum_below(TASKS)
    });
}

fn spawn_from_outside(runtime: &Runtime, handles: &mut Vec<JoinHandle<u64>>) -> bool {
    for i in 0..TASKS {
        handles.push(runtime.spawn(async move { i }));
    }
    runtime.block_on(async {
        let mut sum = 0;
        for handle in handles.drain(..) {
            sum += handle.await.unwrap();
        }
        sum == sum_below(TASKS)
    })
}

fn spawn_remote_idle(config: &Config) {
    let runtime = start(config);
    let mut handles = Vec::with_capacity(TASKS as usize);
    measure(config, TASKS, || spawn_from_outside(&runtime, &mut handles));
}

fn spawn_remote_busy(config: &Config) {
    let runtime = start(config);
    let mut handles = Vec::with_capacity(TASKS as usize);
    let stop = forever(AtomicBool::new(false));
    for _ in 0..(config.workers / 2).max(1) {
        runtime.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let until = now_ns() + 10_000;
                while now_ns() < until {}
                tokio::task::yield_now().await;
            }
        });
    }
    measure(config, TASKS, || spawn_from_outside(&runtime, &mut handles));
    stop.store(true, Ordering::Relaxed);
}

fn remote_roundtrip(config: &Config) {
    let runtime = start(config);
    let mut i = 0;
    measure(config, 1, || {
        i += 1;
        let value = i;
        let task = runtime.spawn(async move { value });
        runtime.block_on(task).unwrap() == i
    });
}

fn serial_fib(n: u64) -> u64 {
    let (mut a, mut b) = (0, 1);
    for _ in 0..n {
        let next = a + b;
        a = b;
        b = next;
    }
    a
}

// A plain function that spawns, so that the recursion needs no box.
fn fib(n: u64) -> JoinHandle<u64> {
    tokio::spawn(async move {
        if n < 2 {
            return n;
        }
        let (a, b) = (fib(n - 1), fib(n - 2));
        a.await.unwrap() + b.await.unwrap()
    })
}

fn fib_tasks(config: &Config) {
    let runtime = start(config);
    measure(config, 2 * serial_fib(FIB + 1) - 1, || {
        let _inside = runtime.enter();
        runtime.block_on(fib(FIB)).unwrap() == serial_fib(FIB)
    });
}

fn skynet(first: u64, leaves: u64) -> JoinHandle<u64> {
    tokio::spawn(async move {
        if leaves == 1 {
            return first;
        }
        let each = leaves / 10;
        let children: [JoinHandle<u64>; 10] = std::array::from_fn(|i| skynet(first + i as u64 * each, each));
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

fn skynet_tasks_of(leaves: u64) -> u64 {
    if leaves == 1 {
        1
    } else {
        1 + 10 * skynet_tasks_of(leaves / 10)
    }
}

fn skynet_tasks(config: &Config) {
    let runtime = start(config);
    measure(config, skynet_tasks_of(LEAVES), || {
        let _inside = runtime.enter();
        runtime.block_on(skynet(0, LEAVES)).unwrap() == sum_below(LEAVES)
    });
}

fn chain(tally: &'static Tally, left: u64) {
    tokio::spawn(async move {
        if left > 0 {
            chain(tally, left - 1);
        }
        tally.add(left);
    });
}

fn chained_spawn(config: &Config) {
    let runtime = start(config);
    let tally = forever(Tally::default());
    measure(config, DEPTH, || {
        tally.expect(DEPTH);
        let _inside = runtime.enter();
        chain(tally, DEPTH - 1);
        tally.wait();
        tally.is(sum_below(DEPTH))
    });
}
