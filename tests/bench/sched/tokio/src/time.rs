// SPDX-License-Identifier: Apache-2.0
//! Timers and the blocking pool: ../../zokio/time.cpp and blocking.cpp.

use crate::harness::*;
use crate::start;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::{sleep_until, timeout, Instant};

const TIMERS: u64 = 1_000_000;
const TIMEOUTS: u64 = 1_000;
const SEQUENTIAL: u64 = 100;
const MANY: u64 = 10_000;

pub const WORKLOADS: [(&str, fn(&Config)); 4] = [
    ("timers", timers),
    ("timeout_cancel", timeout_cancel),
    ("blocking_seq", blocking_seq),
    ("blocking_many", blocking_many),
];

struct Timers {
    tally: Tally,
    latest: AtomicI64,
}

impl Timers {
    fn seen(&self, late: i64) {
        let mut latest = self.latest.load(Ordering::Relaxed);
        while late > latest {
            match self.latest.compare_exchange_weak(latest, late, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => latest = now,
            }
        }
    }
}

fn timers(config: &Config) {
    let runtime = start(config);
    let expected = (0..TIMERS).map(|i| i & 0xfff).sum();
    for _ in 0..config.runs {
        let timers = forever(Timers { tally: Tally::default(), latest: AtomicI64::new(0) });
        let cpu = cpu_ns();
        timers.tally.expect(TIMERS);
        runtime.spawn(async move {
            let mut random = SplitMix(1);
            for i in 0..TIMERS {
                let length = Duration::from_millis(1 + random.next() % 1000);
                tokio::spawn(async move {
                    let due = Instant::now() + length;
                    sleep_until(due).await;
                    let now = Instant::now();
                    let late = now.saturating_duration_since(due).as_nanos() as i64;
                    timers.seen(late);
                    timers.tally.add(if now >= due { i & 0xfff } else { 0 });
                });
            }
        });
        timers.tally.wait();
        let ok = timers.tally.is(expected);
        emit(config, "", (cpu_ns() - cpu) as f64 / TIMERS as f64, "ns", ok);
        emit(config, "_late", timers.latest.load(Ordering::Relaxed) as f64, "ns", ok);
    }
}

async fn yields_once(i: u64) -> u64 {
    tokio::task::yield_now().await;
    i
}

fn timeout_cancel(config: &Config) {
    let runtime = start(config);
    measure(config, TIMEOUTS, || {
        let task = runtime.spawn(async {
            let mut sum = 0;
            for i in 0..TIMEOUTS {
                sum += timeout(Duration::from_secs(1), yields_once(i)).await.unwrap();
            }
            sum
        });
        runtime.block_on(task).unwrap() == sum_below(TIMEOUTS)
    });
}

fn blocking_seq(config: &Config) {
    let runtime = start(config);
    measure(config, SEQUENTIAL, || {
        let task = runtime.spawn(async {
            let mut sum = 0;
            for i in 0..SEQUENTIAL {
                sum += tokio::task::spawn_blocking(move || i).await.unwrap();
            }
            sum
        });
        runtime.block_on(task).unwrap() == sum_below(SEQUENTIAL)
    });
}

fn blocking_many(config: &Config) {
    let runtime = start(config);
    measure(config, MANY, || {
        let task = runtime.spawn(async {
            let mut handles = Vec::with_capacity(MANY as usize);
            for i in 0..MANY {
                handles.push(tokio::task::spawn_blocking(move || i));
            }
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.unwrap();
            }
            sum
        });
        runtime.block_on(task).unwrap() == sum_below(MANY)
    });
}
