//! The real threads of a lane.

#![allow(clippy::disallowed_methods, reason = "this is the one place with threads")]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{LaneDone, LaneJob, THREADS, run};
use crate::sys::Fs;

/// Called on the lane's threads with what is done, in order for each log.
pub type Report = dyn Fn(Vec<LaneDone>) + Send + Sync;

/// The writer and the flushers of one log directory. Dropping it finishes what is queued.
pub struct Lane {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    fs: Arc<dyn Fs>,
    report: Box<Report>,
    limit_bytes: usize,
    queued_bytes: AtomicUsize,
    queues: [Queue; THREADS],
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    wake: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: Vec<LaneJob>,
    closed: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, jobs: Vec<LaneJob>) {
        if jobs.is_empty() {
            return;
        }
        self.state().jobs.extend(jobs);
        self.wake.notify_one();
    }

    fn close(&self) {
        self.state().closed = true;
        self.wake.notify_one();
    }

    /// Waits for jobs and takes all of them; `None` when there will be no more.
    fn take(&self) -> Option<Vec<LaneJob>> {
        let mut state = self.state();
        while state.jobs.is_empty() {
            if state.closed {
                return None;
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Some(std::mem::take(&mut state.jobs))
    }
}

impl Lane {
    /// Starts the threads, named `write-NAME` and `flush-NAME`.
    ///
    /// `report` is called without any lock of the lane held and may submit jobs.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(name: &str, fs: Arc<dyn Fs>, limit_bytes: usize, report: Box<Report>) -> io::Result<Lane> {
        let shared = Arc::new(Shared {
            fs,
            report,
            limit_bytes,
            queued_bytes: AtomicUsize::new(0),
            queues: Default::default(),
        });
        let mut lane = Lane {
            shared,
            threads: Vec::with_capacity(THREADS),
        };
        for number in 0..THREADS {
            let shared = Arc::clone(&lane.shared);
            let kind = if number == 0 { "write" } else { "flush" };
            let thread = std::thread::Builder::new().name(format!("{kind}-{name}"));
            lane.threads.push(thread.spawn(move || shared.work(number))?);
        }
        Ok(lane)
    }

    /// Queues jobs; never waits. Whoever brings data looks at [`Lane::is_full`] before taking more in.
    pub fn submit(&self, jobs: Vec<LaneJob>) {
        let bytes = jobs.iter().map(LaneJob::bytes).sum();
        self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut queued: [Vec<LaneJob>; THREADS] = Default::default();
        for job in jobs {
            queued[job.thread()].push(job);
        }
        for (queue, jobs) in self.shared.queues.iter().zip(queued) {
            queue.push(jobs);
        }
    }

    /// Bytes of record data that wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.shared.queued_bytes.load(Ordering::Relaxed)
    }

    /// Whether as much waits as may wait: no more is to be taken in.
    pub fn is_full(&self) -> bool {
        self.queued_bytes() >= self.shared.limit_bytes
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.queues.iter().for_each(Queue::close);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so; and the callback may drop the lane on the lane's own thread.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    fn work(&self, number: usize) {
        while let Some(jobs) = self.queues[number].take() {
            if number > 0 {
                // The disk works on all of a round while the first is waited for.
                if jobs.len() > 1 {
                    jobs.iter().for_each(|job| job.start(&*self.fs));
                }
                // Each sync may take long: report it before the next begins.
                for job in jobs {
                    (self.report)(run(&self.fs, vec![job]));
                }
                continue;
            }
            let bytes: usize = jobs.iter().map(LaneJob::bytes).sum();
            let dones = run(&self.fs, jobs);
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            (self.report)(dones);
        }
    }
}
