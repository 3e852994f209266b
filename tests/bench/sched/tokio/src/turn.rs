// SPDX-License-Identifier: Apache-2.0
//! Taking turns, and wake-ups: ../../zokio/turn.cpp and wake.cpp.

use crate::harness::*;
use crate::start;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot::{self, Sender};

const TASKS: u64 = 200;
const YIELDS: u64 = 1_000;
const YIELDS_ALONE: u64 = 10_000;
const PAIRS: u64 = 10_000;
const BUSY_WAKES: u64 = 200;
const COMPUTE_NS: i64 = 100_000;

pub const WORKLOADS: [(&str, fn(&Config)); 6] = [
    ("yield_many", yield_many),
    ("yield_one", yield_one),
    ("ping_pong", ping_pong),
    ("wake", wake),
    ("wake_busy", wake_busy),
    ("idle_cpu", idle_cpu),
];

fn yield_many(config: &Config) {
    let runtime = start(config);
    let tally = forever(Tally::default());
    measure(config, TASKS * YIELDS, || {
        tally.expect(TASKS);
        for i in 0..TASKS {
            runtime.spawn(async move {
                let mut turns = 0;
                for _ in 0..YIELDS {
                    tokio::task::yield_now().await;
                    turns += 1;
                }
                tally.add(i * turns);
            });
        }
        tally.wait();
        tally.is(sum_below(TASKS) * YIELDS)
    });
}

fn yield_one(config: &Config) {
    let runtime = start(config);
    measure(config, YIELDS_ALONE, || {
        let task = runtime.spawn(async {
            let mut sum = 0;
            for n in 0..YIELDS_ALONE {
                tokio::task::yield_now().await;
                sum += n;
            }
            sum
        });
        runtime.block_on(task).unwrap() == sum_below(YIELDS_ALONE)
    });
}

fn ping_pong(config: &Config) {
    let runtime = start(config);
    let tally = forever(Tally::default());
    measure(config, PAIRS, || {
        tally.expect(PAIRS);
        runtime.spawn(async move {
            for i in 0..PAIRS {
                tokio::spawn(async move {
                    let (ping_tx, ping_rx) = oneshot::channel::<u64>();
                    let (pong_tx, pong_rx) = oneshot::channel::<u64>();
                    tokio::spawn(async move { pong_tx.send(ping_rx.await.unwrap()).unwrap() });
                    ping_tx.send(i).unwrap();
                    tally.add(pong_rx.await.unwrap());
                });
            }
        });
        tally.wait();
        tally.is(sum_below(PAIRS))
    });
}

struct Wakes {
    tally: Tally,
    latency: Vec<AtomicI64>,
}

fn park_waiters(runtime: &Runtime, events: u64) -> (&'static Wakes, Vec<Option<Sender<i64>>>) {
    let latency = (0..events).map(|_| AtomicI64::new(0)).collect();
    let wakes = forever(Wakes { tally: Tally::default(), latency });
    wakes.tally.expect(events);
    let mut senders = Vec::new();
    for i in 0..events {
        let (sender, receiver) = oneshot::channel::<i64>();
        senders.push(Some(sender));
        runtime.spawn(async move {
            let sent = receiver.await.unwrap();
            wakes.latency[i as usize].store(now_ns() - sent, Ordering::Relaxed);
            wakes.tally.add(i);
        });
    }
    (wakes, senders)
}

fn finish_wakes(config: &Config, wakes: &Wakes) {
    wakes.tally.wait();
    let mut values: Vec<i64> = wakes.latency.iter().map(|v| v.load(Ordering::Relaxed)).collect();
    let ok = wakes.tally.is(sum_below(values.len() as u64));
    report_wakes(config, &mut values, ok);
}

fn wake(config: &Config) {
    let runtime = start(config);
    for _ in 0..config.runs {
        let events = wake_events(config);
        let (wakes, mut senders) = park_waiters(&runtime, events);
        run_wakes(events, |i, now| senders[i as usize].take().unwrap().send(now).unwrap());
        finish_wakes(config, wakes);
    }
}

// The same from a task that goes on computing, so that another worker has to take what it woke.
fn wake_busy(config: &Config) {
    let runtime = start(config);
    for _ in 0..config.runs {
        let (wakes, senders) = park_waiters(&runtime, BUSY_WAKES);
        runtime.spawn(async move {
            for sender in senders {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let now = now_ns();
                sender.unwrap().send(now).unwrap();
                while now_ns() < now + COMPUTE_NS {}
            }
        });
        finish_wakes(config, wakes);
    }
}

fn idle_cpu(config: &Config) {
    let runtime = start(config);
    measure_idle(config, || runtime.block_on(runtime.spawn(async { 1 })).unwrap() == 1);
}
