//! The memory of requests: one budget for all connections, charged as bytes arrive and not as they are promised.
//!
//! A frame of up to [`LARGE`] bytes is charged to the budget. A larger one gets its first bytes from there; then
//! it queues for the one *large slot*, whose holder reads on an allowance of its own, so that two half-read
//! giants never wait for each other. A smaller frame that is stuck half-read because the budget is used up queues
//! for the slot as well: somebody always gets on. The last part of the budget is for small frames alone, so that
//! heartbeats come through while produced data fills the rest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

/// Frames beyond this many bytes need the large slot.
pub(super) const LARGE: usize = 1 << 20;

/// How much of a large frame has to be there before it queues for the slot: who only promises is not in the way.
pub(super) const LARGE_HEAD: usize = 64 << 10;

/// Frames of up to this many bytes may use all of the budget.
pub(super) const SMALL: usize = 16 << 10;

/// The part of the budget that is for small frames alone: one in this many.
const SMALL_SHARE: usize = 16;

/// The budget and the large slot.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// Who waits for bytes; all are woken when some are free.
    hungry: Vec<Arc<Notify>>,
    holder: Option<u64>,
    queue: VecDeque<(u64, Arc<Notify>)>,
    next_ticket: u64,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Arc<Memory> {
        Arc::new(Memory {
            limit,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }

    /// Charges up to `most` bytes, at least `least`; `None` when there are fewer: then `wake` is notified once
    /// some are free. `small`: for a frame that is, or may still turn out to be, a small one.
    pub(super) fn charge(
        self: &Arc<Self>,
        most: usize,
        least: usize,
        small: bool,
        wake: &Arc<Notify>,
    ) -> Option<Charge> {
        let limit = if small {
            self.limit
        } else {
            self.limit - self.limit / SMALL_SHARE
        };
        let mut state = self.state();
        let bytes = most.min(limit.saturating_sub(state.used));
        if bytes < least {
            state.hungry.push(Arc::clone(wake));
            return None;
        }
        state.used += bytes;
        Some(Charge {
            memory: Arc::clone(self),
            bytes,
            place: None,
        })
    }

    /// A place in the queue for the large slot; `wake` is notified when it is the holder's.
    pub(super) fn queue(self: &Arc<Self>, wake: &Arc<Notify>) -> Place {
        let mut state = self.state();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        if state.holder.is_none() {
            state.holder = Some(ticket);
        } else {
            state.queue.push_back((ticket, Arc::clone(wake)));
        }
        Place {
            memory: Arc::clone(self),
            ticket,
        }
    }

    fn release(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let hungry = {
            let mut state = self.state();
            state.used -= bytes;
            std::mem::take(&mut state.hungry)
        };
        for wake in hungry {
            wake.notify_one();
        }
    }

    fn leave(&self, ticket: u64) {
        let mut state = self.state();
        if state.holder == Some(ticket) {
            let next = state.queue.pop_front();
            state.holder = next.as_ref().map(|(ticket, _)| *ticket);
            drop(state);
            if let Some((_, wake)) = next {
                wake.notify_one();
            }
        } else {
            state.queue.retain(|(queued, _)| *queued != ticket);
        }
    }

    /// Whether somebody waits for bytes.
    pub(super) fn is_short(&self) -> bool {
        !self.state().hungry.is_empty()
    }

    /// Bytes charged at the moment.
    pub(super) fn used(&self) -> usize {
        self.state().used
    }
}

/// Bytes that somebody holds, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    memory: Arc<Memory>,
    bytes: usize,
    /// The large slot, held until the request is answered.
    place: Option<Place>,
}

impl Charge {
    /// How many bytes it holds of the budget.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a part out.
    pub(super) fn split(&mut self, bytes: usize) -> Charge {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Charge {
            memory: Arc::clone(&self.memory),
            bytes,
            place: None,
        }
    }

    /// Puts another part in.
    pub(super) fn add(&mut self, mut other: Charge) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Gives back all but this many bytes.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.memory.release(surplus);
    }

    /// Goes over to the large slot: nothing of it counts in the budget any more.
    pub(super) fn use_slot(&mut self, place: Place) {
        self.shrink(0);
        self.place = Some(place);
    }

    /// The large slot, if it is used.
    pub(super) fn slot(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.release(self.bytes);
    }
}

/// A place in the queue for the large slot, or the slot itself; left when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    memory: Arc<Memory>,
    ticket: u64,
}

impl Place {
    /// Whether this is the slot.
    pub(super) fn is_slot(&self) -> bool {
        self.memory.state().holder == Some(self.ticket)
    }

    /// Whether others wait for the slot.
    pub(super) fn is_wanted(&self) -> bool {
        !self.memory.state().queue.is_empty()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.memory.leave(self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charged_comes_back_when_it_is_dropped() {
        let memory = Memory::new(100);
        let wake = Arc::new(Notify::new());
        let mut first = memory.charge(60, 1, true, &wake).unwrap();
        let part = first.split(20);
        assert_eq!(memory.used(), 60);
        drop(first);
        assert_eq!(memory.used(), 20);
        let rest = memory.charge(500, 80, true, &wake).unwrap();
        assert_eq!(memory.used(), 100);
        assert!(memory.charge(1, 1, true, &wake).is_none());
        drop((part, rest));
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn a_part_of_the_budget_is_for_small_frames_alone() {
        let memory = Memory::new(1600);
        let wake = Arc::new(Notify::new());
        let _large = memory.charge(2000, 1, false, &wake).unwrap();
        assert_eq!(memory.used(), 1500);
        assert!(memory.charge(10, 10, false, &wake).is_none());
        assert!(memory.charge(10, 10, true, &wake).is_some());
    }

    #[tokio::test]
    async fn who_waits_for_bytes_is_woken_when_some_are_free() {
        let memory = Memory::new(10);
        let wake = Arc::new(Notify::new());
        let all = memory.charge(10, 10, true, &wake).unwrap();
        assert!(memory.charge(1, 1, true, &wake).is_none());
        drop(all);
        wake.notified().await;
        assert!(memory.charge(1, 1, true, &wake).is_some());
    }

    #[tokio::test]
    async fn the_large_slot_goes_to_who_came_first_and_skips_who_left() {
        let memory = Memory::new(10);
        let wakes: Vec<_> = (0..3).map(|_| Arc::new(Notify::new())).collect();
        let first = memory.queue(&wakes[0]);
        let second = memory.queue(&wakes[1]);
        let third = memory.queue(&wakes[2]);
        assert!(first.is_slot() && first.is_wanted() && !second.is_slot());
        drop(second);
        let mut charge = memory.charge(4, 4, true, &wakes[0]).unwrap();
        charge.use_slot(first);
        assert_eq!(memory.used(), 0, "the slot has an allowance of its own");
        assert!(!third.is_slot());
        drop(charge);
        wakes[2].notified().await;
        assert!(third.is_slot() && !third.is_wanted());
    }
}
