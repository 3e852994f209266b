// SPDX-License-Identifier: Apache-2.0
//! Synchronisation and channels: ../../zokio/sync.cpp and channel.cpp.

use crate::harness::*;
use crate::start;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, Mutex, Notify, Semaphore};

const OPS: u64 = 100_000;
const ROUNDS: u64 = 10_000;
const CONTENDERS: u64 = 4;
const EACH: u64 = 25_000;
const MESSAGES: u64 = 1_000_000;
const CAPACITY: usize = 1_024;

pub const WORKLOADS: [(&str, fn(&Config)); 7] = [
    ("oneshot", oneshot_local),
    ("semaphore", semaphore),
    ("mutex", mutex),
    ("mutex_4tasks", mutex_4tasks),
    ("notify", notify),
    ("channel_1p1c", channel_1p1c),
    ("channel_4p1c", channel_4p1c),
];

fn oneshot_local(config: &Config) {
    let runtime = start(config);
    measure(config, OPS, || {
        let task = runtime.spawn(async {
            let mut sum = 0;
            for i in 0..OPS {
                let (sender, receiver) = oneshot::channel();
                sender.send(i).unwrap();
                sum += receiver.await.unwrap();
            }
            sum
        });
        runtime.block_on(task).unwrap() == sum_below(OPS)
    });
}

fn semaphore(config: &Config) {
    let runtime = start(config);
    let one = Arc::new(Semaphore::new(1));
    measure(config, OPS, || {
        let semaphore = one.clone();
        let task = runtime.spawn(async move {
            let mut sum = 0;
            for i in 0..OPS {
                let _permit = semaphore.acquire().await.unwrap();
                sum += i;
            }
            sum
        });
        runtime.block_on(task).unwrap() == sum_below(OPS)
    });
}

async fn add_under(mutex: Arc<Mutex<u64>>, times: u64) {
    for i in 0..times {
        *mutex.lock().await += i;
    }
}

fn mutex(config: &Config) {
    let runtime = start(config);
    measure(config, OPS, || {
        let mutex = Arc::new(Mutex::new(0));
        runtime.block_on(runtime.spawn(add_under(mutex.clone(), OPS))).unwrap();
        let sum = *mutex.try_lock().unwrap();
        sum == sum_below(OPS)
    });
}

fn mutex_4tasks(config: &Config) {
    let runtime = start(config);
    measure(config, CONTENDERS * EACH, || {
        let mutex = Arc::new(Mutex::new(0));
        let shared = mutex.clone();
        let task = runtime.spawn(async move {
            let tasks: Vec<_> =
                (0..CONTENDERS).map(|_| tokio::spawn(add_under(shared.clone(), EACH))).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        runtime.block_on(task).unwrap();
        let sum = *mutex.try_lock().unwrap();
        sum == CONTENDERS * sum_below(EACH)
    });
}

fn notify(config: &Config) {
    let runtime = start(config);
    measure(config, ROUNDS, || {
        let task = runtime.spawn(async {
            let (ping, pong) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let (his_ping, his_pong) = (ping.clone(), pong.clone());
            let other = tokio::spawn(async move {
                let mut sum = 0;
                for i in 0..ROUNDS {
                    his_ping.notified().await;
                    sum += i;
                    his_pong.notify_one();
                }
                sum
            });
            let mut sum = 0;
            for i in 0..ROUNDS {
                ping.notify_one();
                pong.notified().await;
                sum += i;
            }
            sum + other.await.unwrap()
        });
        runtime.block_on(task).unwrap() == 2 * sum_below(ROUNDS)
    });
}

fn channel(config: &Config, producers: u64) {
    let runtime = start(config);
    measure(config, MESSAGES, || {
        let (sender, mut receiver) = mpsc::channel::<u64>(CAPACITY);
        let task = runtime.spawn(async move {
            let share = MESSAGES / producers;
            for p in 0..producers {
                let sender = sender.clone();
                tokio::spawn(async move {
                    for i in p * share..(p + 1) * share {
                        sender.send(i).await.unwrap();
                    }
                });
            }
            drop(sender);
            let mut sum = 0;
            while let Some(i) = receiver.recv().await {
                sum += i;
            }
            sum
        });
        runtime.block_on(task).unwrap() == sum_below(MESSAGES)
    });
}

fn channel_1p1c(config: &Config) {
    channel(config, 1);
}

fn channel_4p1c(config: &Config) {
    channel(config, 4);
}
