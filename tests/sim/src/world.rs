//! The world that everything shares: time, the queue of what will happen, chance, the network and the checker.
//!
//! One thread, so a `RefCell`: whoever borrows gives back before anybody else runs. Time stands still while
//! something happens and jumps to whatever happens next.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use crate::checker::Checker;
use crate::host::HostEvent;
use crate::network::{LinkId, Network, Segment};
use crate::random::Random;
use crate::trace::Trace;

/// An actor, by its place in the list of actors.
pub type ActorId = usize;

/// Something that will happen.
pub enum Event {
    /// An actor has waited for this moment.
    Wake(ActorId),
    /// Bytes, or the end of them, reach the broker.
    ToServer(LinkId, Segment),
    /// Bytes, or the end of them, reach a client.
    ToClient(LinkId, Segment),
    /// The machine that the broker runs on does something, unless it was restarted since: its boot number.
    Host(u64, Box<HostEvent>),
    /// Something breaks.
    Fault,
    /// The disk is not full any more.
    Room,
    /// The broker ends, just when somebody was told that something is done.
    EndAfterAnswer,
}

/// See the module.
pub struct World {
    /// Microseconds since the world began.
    pub now_us: u64,
    /// What the broker's clock is off by.
    pub clock_skew_ms: i64,
    queue: BTreeMap<(u64, u64), Event>,
    queued: u64,
    /// The one source of chance.
    pub random: Random,
    /// What happened so far.
    pub trace: Trace,
    /// What must hold.
    pub checker: Checker,
    /// The connections.
    pub network: Network,
    /// Nothing breaks any more and nobody begins anything: what is under way is brought to its end.
    pub calm: bool,
}

/// How all that runs in the world holds it.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<World>>);

/// When the world begins, in milliseconds since 1970.
const BEGINNING_MS: i64 = 1_750_000_000_000;

impl Shared {
    /// A new world.
    pub fn new(seed: u64, print: bool) -> Shared {
        Shared(Rc::new(RefCell::new(World {
            now_us: 0,
            clock_skew_ms: 0,
            queue: BTreeMap::new(),
            queued: 0,
            random: Random::new(seed),
            trace: Trace::new(print),
            checker: Checker::default(),
            network: Network::default(),
            calm: false,
        })))
    }

    /// The world, for as long as one thing happens.
    pub fn borrow(&self) -> RefMut<'_, World> {
        self.0.borrow_mut()
    }
}

impl World {
    /// What the broker's clock shows, in milliseconds since 1970.
    pub fn unix_ms(&self) -> i64 {
        BEGINNING_MS + i64::try_from(self.now_us / 1000).expect("no world lasts so long") + self.clock_skew_ms
    }

    /// Lets something happen `after_us` from now; what was scheduled first for a moment happens first.
    pub fn schedule(&mut self, after_us: u64, event: Event) {
        let at_us = self.now_us + after_us;
        self.schedule_at(at_us, event);
    }

    /// Lets something happen at a moment.
    pub fn schedule_at(&mut self, at_us: u64, event: Event) {
        self.queue.insert((at_us.max(self.now_us), self.queued), event);
        self.queued += 1;
    }

    /// Takes what happens next and moves the time there.
    pub fn take_next(&mut self) -> Option<Event> {
        let ((at_us, _), event) = self.queue.pop_first()?;
        self.now_us = at_us;
        Some(event)
    }

    /// Somebody was told that something is done: at times the broker ends right then, before it could do what it
    /// only promised.
    pub fn told_done(&mut self) {
        if !self.calm && self.random.below(150) == 0 {
            self.schedule(0, Event::EndAfterAnswer);
        }
    }

    /// Writes down what happened.
    pub fn note(&mut self, what: fmt::Arguments<'_>) {
        self.trace.event(self.now_us, what);
    }
}
