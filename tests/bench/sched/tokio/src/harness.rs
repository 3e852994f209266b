// SPDX-License-Identifier: Apache-2.0
//! The harness of the C++ programs (../../harness.h) once more: what is timed, how long, how the
//! outside thread waits, what is printed. A change there is a change here.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

pub struct Config {
    pub workload: String,
    pub workers: usize,
    pub runs: usize,
    pub ms: f64,
}

pub static ALL_OK: AtomicBool = AtomicBool::new(true);

fn clock(which: libc::clockid_t) -> i64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(which, &mut t) };
    t.tv_sec * 1_000_000_000 + t.tv_nsec
}

pub fn now_ns() -> i64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// CPU time of the whole process, all threads.
pub fn cpu_ns() -> i64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

pub fn rss_bytes() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: i64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }
}

pub fn sleep_outside(ns: i64) {
    std::thread::sleep(Duration::from_nanos(ns as u64));
}

/// The generator of every program here, so that all peers sleep the same times.
pub struct SplitMix(pub u64);

impl SplitMix {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        z ^ (z >> 31)
    }
}

/// What tasks refer to without counting references, as the C++ programs do by pointers.
pub fn forever<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

#[derive(Default)]
pub struct Latch {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Latch {
    pub fn set(&self) {
        *self.set.lock().unwrap() = true;
        self.changed.notify_one();
    }
    pub fn wait(&self) {
        let mut set = self.set.lock().unwrap();
        while !*set {
            set = self.changed.wait(set).unwrap();
        }
        *set = false;
    }
}

/// Side effects of tasks and their number in one word, so that one locked add does both. Values of
/// all tasks together stay below 2^40, tasks below 2^24.
#[derive(Default)]
#[repr(align(64))]
pub struct Tally {
    word: AtomicU64,
    tasks: AtomicU64,
    done: Latch,
}

const ONE: u64 = 1 << 40;

impl Tally {
    pub fn expect(&self, tasks: u64) {
        self.word.store(0, Ordering::Relaxed);
        self.tasks.store(tasks, Ordering::Relaxed);
    }
    /// The last of the expected tasks sets the latch.
    pub fn add(&self, value: u64) {
        let before = self.word.fetch_add(ONE + value, Ordering::AcqRel);
        if (before >> 40) + 1 == self.tasks.load(Ordering::Relaxed) {
            self.done.set();
        }
    }
    pub fn wait(&self) {
        self.done.wait();
    }
    pub fn is(&self, sum: u64) -> bool {
        self.word.load(Ordering::Acquire) == self.tasks.load(Ordering::Relaxed) * ONE + sum
    }
}

/// 0 + 1 + ... + (n - 1), what tasks numbered 0 to n - 1 add up to.
pub const fn sum_below(n: u64) -> u64 {
    n * (n - 1) / 2
}

pub fn emit(config: &Config, suffix: &str, value: f64, unit: &str, checksum_ok: bool) {
    if !checksum_ok {
        ALL_OK.store(false, Ordering::Relaxed);
    }
    println!(
        "{{\"workload\":\"{}{}\",\"workers\":{},\"value\":{:.3},\"unit\":\"{}\",\"checksum_ok\":{}}}",
        config.workload, suffix, config.workers, value, unit, checksum_ok
    );
    std::io::stdout().flush().unwrap();
}

/// Times `iteration`, which does `ops` operations and says whether its checksum was right.
/// A run is as many iterations as fit into the configured time, and its value their mean.
pub fn measure<F: FnMut() -> bool>(config: &Config, ops: u64, mut iteration: F) {
    let mut ok = true;
    let run_ns = (config.ms * 1e6) as i64;
    let warm = now_ns();
    loop {
        ok &= iteration();
        if now_ns() - warm >= run_ns / 3 {
            break;
        }
    }
    for _ in 0..config.runs {
        let mut iterations = 0;
        let start = now_ns();
        let mut end;
        loop {
            ok &= iteration();
            iterations += 1;
            end = now_ns();
            if end - start >= run_ns {
                break;
            }
        }
        emit(config, "", (end - start) as f64 / (iterations * ops) as f64, "ns", ok);
    }
}

pub fn wake_events(config: &Config) -> u64 {
    ((config.ms * 4.0) as u64).max(100)
}

/// Wake-ups at random gaps of 50 to 950 us, whatever the one before took.
pub fn run_wakes<F: FnMut(u64, i64)>(events: u64, mut wake: F) {
    let mut random = SplitMix(7);
    sleep_outside(5_000_000);
    let mut due = now_ns();
    for i in 0..events {
        due += 50_000 + (random.next() % 900_000) as i64;
        loop {
            let now = now_ns();
            if now >= due {
                break;
            }
            if due - now > 100_000 {
                sleep_outside(due - now - 80_000);
            }
        }
        wake(i, now_ns());
    }
}

pub fn report_wakes(config: &Config, latency: &mut [i64], ok: bool) {
    latency.sort_unstable();
    let at = |part: f64| latency[(part * (latency.len() - 1) as f64) as usize] as f64;
    emit(config, "_p50", at(0.5), "ns", ok);
    emit(config, "_p99", at(0.99), "ns", ok);
    emit(config, "_p999", at(0.999), "ns", ok);
}

/// CPU nanoseconds that the process uses in a second in which nothing happens.
pub fn measure_idle<F: FnOnce() -> bool>(config: &Config, warm_up: F) {
    let ok = warm_up();
    for _ in 0..config.runs {
        sleep_outside(50_000_000);
        let (cpu, wall) = (cpu_ns(), now_ns());
        sleep_outside(((config.ms * 2.0).max(200.0) * 1e6) as i64);
        emit(config, "", (cpu_ns() - cpu) as f64 * 1e9 / (now_ns() - wall) as f64, "ns", ok);
    }
}
