//! A load that does not wait for whoever serves it, and what its steps took.

use std::time::{Duration, Instant};

/// Says when each step is due, whatever the ones before it took.
pub struct Clock {
    next: Instant,
    interval: Duration,
}

impl Clock {
    pub fn start(interval: Duration) -> Clock {
        Clock {
            next: Instant::now(),
            interval,
        }
    }

    /// Waits until the next step is due. Gives the time from which it counts: when it was due if the steps before it
    /// have taken longer than that, or when this thread woke up.
    pub fn tick(&mut self) -> Instant {
        let due = self.next;
        self.next += self.interval;
        let early = due.saturating_duration_since(Instant::now());
        if early.is_zero() {
            return due;
        }
        std::thread::sleep(early);
        Instant::now()
    }
}

/// Microseconds of every step.
#[derive(Default)]
pub struct Times(Vec<u64>);

impl Times {
    pub fn add(&mut self, from: Instant) {
        self.0
            .push(u64::try_from(from.elapsed().as_micros()).unwrap_or(u64::MAX));
    }

    pub fn print(mut self, name: &str) {
        self.0.sort_unstable();
        let count = self.0.len();
        let at = |permille: usize| self.0[(count - 1) * permille / 1000];
        println!(
            "  {name:<60} {count:>8} times, in µs: p50 {:>7}  p99 {:>7}  p99.9 {:>7}  most {:>8}",
            at(500),
            at(990),
            at(999),
            at(1000),
        );
    }
}
