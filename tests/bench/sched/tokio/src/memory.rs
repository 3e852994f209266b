// SPDX-License-Identifier: Apache-2.0
//! A million tasks that wait: ../../zokio/parked.cpp.

use crate::harness::*;
use crate::start;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, Notify};

const TASKS: u64 = 1_000_000;

pub const WORKLOADS: [(&str, fn(&Config)); 3] = [
    ("parked_oneshot", parked_oneshot),
    ("parked_notify", parked_notify),
    ("parked_sleep", parked_sleep),
];

#[derive(Default)]
struct Park {
    arrived: AtomicU64,
    tally: Tally,
    notify: Notify,
}

fn new_park() -> &'static Park {
    let park = forever(Park::default());
    park.tally.expect(TASKS);
    park
}

fn growth(park: &Park, fill: impl FnOnce()) -> i64 {
    let before = rss_bytes();
    fill();
    while park.arrived.load(Ordering::SeqCst) < TASKS {
        sleep_outside(1_000_000);
    }
    sleep_outside(20_000_000);
    rss_bytes() - before
}

fn expected_sum() -> u64 {
    (0..TASKS).map(|i| i & 0xfff).sum()
}

fn report(config: &Config, bytes: i64, ok: bool) {
    emit(config, "", bytes as f64 / TASKS as f64, "bytes", ok);
}

fn parked_oneshot(config: &Config) {
    let runtime = start(config);
    let park = new_park();
    let mut senders: Vec<Option<oneshot::Sender<u64>>> = (0..TASKS).map(|_| None).collect();
    // Written once more, so that its pages are there before.
    for slot in &mut senders {
        unsafe { std::ptr::write_volatile(slot, None) };
    }
    let mut filled = None;
    let bytes = growth(park, || {
        let task = runtime.spawn(async move {
            for slot in &mut senders {
                let (sender, receiver) = oneshot::channel::<u64>();
                *slot = Some(sender);
                tokio::spawn(async move {
                    park.arrived.fetch_add(1, Ordering::SeqCst);
                    park.tally.add(receiver.await.unwrap() & 0xfff);
                });
            }
            senders
        });
        filled = Some(runtime.block_on(task).unwrap());
    });
    for (i, sender) in filled.unwrap().into_iter().enumerate() {
        sender.unwrap().send(i as u64).unwrap();
    }
    park.tally.wait();
    report(config, bytes, park.tally.is(expected_sum()));
}

fn fill(runtime: &Runtime, park: &'static Park, each: fn(&'static Park, u64)) {
    let task = runtime.spawn(async move {
        for i in 0..TASKS {
            each(park, i);
        }
    });
    runtime.block_on(task).unwrap();
}

fn parked_notify(config: &Config) {
    let runtime = start(config);
    let park = new_park();
    let bytes = growth(park, || {
        fill(&runtime, park, |park, i| {
            tokio::spawn(async move {
                park.arrived.fetch_add(1, Ordering::SeqCst);
                park.notify.notified().await;
                park.tally.add(i & 0xfff);
            });
        })
    });
    park.notify.notify_waiters();
    park.tally.wait();
    report(config, bytes, park.tally.is(expected_sum()));
}

/// Adds its number when the runtime drops the task at the end.
struct OnDrop(&'static Park, u64);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.tally.add(self.1 & 0xfff);
    }
}

fn parked_sleep(config: &Config) {
    let runtime = start(config);
    let park = new_park();
    let bytes = growth(park, || {
        fill(&runtime, park, |park, i| {
            tokio::spawn(async move {
                let guard = OnDrop(park, i);
                guard.0.arrived.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(3600)).await;
            });
        })
    });
    drop(runtime);
    park.tally.wait();
    report(config, bytes, park.tally.is(expected_sum()));
}
