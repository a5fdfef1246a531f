//! The course of a run: a stormy part in which things break, then a calm one in which everything that is owed has
//! to be found again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};

use klamm_storage::bug::{self, Bug};

use crate::checker::Counts;
use crate::clients::{Client, admin, auditor, consumer, janitor, ledger, member, producer};
use crate::host::{End, Host};
use crate::world::{ActorId, Event, Shared};

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// From which everything follows.
    pub seed: u64,
    /// Events of the stormy part.
    pub steps: u64,
    /// Shows every event on standard error.
    pub print: bool,
    /// A deliberate bug that the broker has.
    pub bug: Option<Bug>,
}

/// How it went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The first thing that did not hold.
    pub failure: Option<String>,
    /// Hash of everything that happened.
    pub trace: u64,
    /// What was checked.
    pub counts: Counts,
    /// How often the broker started.
    pub boots: u64,
    /// How long the world lasted, in its own time.
    pub elapsed_ms: u64,
}

/// Events of the stormy part, unless somebody wants more.
pub const STEPS: u64 = 20_000;
/// By then everything must have been found, in the calm part.
const CALM_MAX_US: u64 = 180_000_000;

type Program = Pin<Box<dyn Future<Output = ()>>>;

struct Run {
    shared: Shared,
    host: Host,
    actors: Vec<Option<Program>>,
    auditor: Option<ActorId>,
    /// Transactions take part, and the power stays on: what it took of markers and decisions could contradict each
    /// other.
    with_transactions: bool,
}

/// Runs a seed. A panic of the broker is a failure like any other.
pub fn run(options: &Options) -> Outcome {
    bug::plant(options.bug);
    let shared = Shared::new(options.seed, options.print);
    let mut run = Run {
        host: Host::new(shared.clone()),
        shared: shared.clone(),
        actors: Vec::new(),
        auditor: None,
        with_transactions: options.seed % 4 == 3,
    };
    let panicked = catch_unwind(AssertUnwindSafe(|| run.all(options.steps))).err();
    let boots = run.host.boots() + 1;
    let disk_calls = run.host.disk_calls();
    // The world may be borrowed by what panicked.
    let Ok(mut world) = catch_unwind(AssertUnwindSafe(|| shared.borrow())) else {
        let failure = Some(format!("panic: {}", panic_text(panicked)));
        return Outcome {
            failure,
            trace: 0,
            counts: Counts::default(),
            boots,
            elapsed_ms: 0,
        };
    };
    if panicked.is_some() {
        world.checker.fail(format!("panic: {}", panic_text(panicked)));
    }
    world.note(format_args!("{disk_calls} disk calls"));
    Outcome {
        failure: world.checker.failure().map(str::to_owned),
        trace: world.trace.hash(),
        counts: Counts {
            transactions: world.checker.ledger.committed,
            ..world.checker.counts
        },
        boots,
        elapsed_ms: world.now_us / 1000,
    }
}

fn panic_text(panic: Option<Box<dyn std::any::Any + Send>>) -> String {
    let Some(panic) = panic else {
        return "unknown".to_owned();
    };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}

impl Run {
    fn all(&mut self, steps: u64) {
        // What they have under way is seen through before anybody looks at the result.
        let mut writers = vec![
            self.spawn("admin", |client| Box::pin(admin::run(client))),
            self.spawn("idempotent-0", |client| Box::pin(producer::idempotent(client))),
            self.spawn("idempotent-1", |client| Box::pin(producer::idempotent(client))),
            self.spawn("plain", |client| Box::pin(producer::plain(client))),
        ];
        if self.with_transactions {
            for name in ["ledger-0", "ledger-1"] {
                writers.push(self.spawn(name, |client| Box::pin(ledger::write(client, name))));
            }
            self.spawn("ledger-reader", |client| Box::pin(ledger::read(client)));
        }
        self.spawn("janitor", |client| Box::pin(janitor::run(client)));
        for name in ["consumer-0", "consumer-1"] {
            self.spawn(name, |client| Box::pin(consumer::run(client)));
        }
        for name in ["member-0", "member-1", "member-2"] {
            self.spawn(name, |client| Box::pin(member::run(client)));
        }
        self.shared.borrow().schedule(1_500_000, Event::Fault);
        for _ in 0..steps {
            if !self.step() {
                return;
            }
        }
        self.become_calm();
        let deadline_us = self.shared.borrow().now_us + CALM_MAX_US;
        while !self.is_audited() {
            if self.auditor.is_none() && writers.iter().all(|writer| self.actors[*writer].is_none()) {
                let with_transactions = self.with_transactions;
                let audit = |client| -> Program { Box::pin(auditor::run(client, with_transactions)) };
                self.auditor = Some(self.spawn("auditor", audit));
            }
            if self.shared.borrow().now_us > deadline_us {
                self.shared
                    .borrow()
                    .checker
                    .fail("nothing broke any more, and yet not everything was found".to_owned());
            }
            if !self.step() {
                return;
            }
        }
    }

    fn spawn(&mut self, name: &str, program: impl FnOnce(Client) -> Program) -> ActorId {
        let actor = self.actors.len();
        self.actors
            .push(Some(program(Client::new(self.shared.clone(), actor, name))));
        self.poll(actor);
        actor
    }

    fn is_audited(&self) -> bool {
        self.auditor.is_some_and(|auditor| self.actors[auditor].is_none())
    }

    /// Lets one thing happen; `false` when something does not hold.
    fn step(&mut self) -> bool {
        let next = self.shared.borrow().take_next();
        let Some(event) = next else {
            self.shared
                .borrow()
                .checker
                .fail("nothing will ever happen any more".to_owned());
            return false;
        };
        match event {
            Event::Wake(actor) => self.poll(actor),
            Event::ToServer(link, segment) => {
                self.shared
                    .borrow()
                    .note(format_args!("to broker {} {segment:?}", link.0));
                self.host.receive(link, segment);
            }
            Event::ToClient(link, segment) => {
                let actor = {
                    let mut world = self.shared.borrow();
                    world.note(format_args!("to client {} {segment:?}", link.0));
                    world.network.arrive(link, segment)
                };
                if let Some(actor) = actor {
                    self.poll(actor);
                }
            }
            Event::Host(boot, event) => self.host.happen(boot, *event),
            Event::Fault => self.fault(),
            Event::Room => {
                self.shared.borrow().note(format_args!("the disk has room again"));
                self.host.empty_disk();
            }
            Event::EndAfterAnswer => {
                let end = self.choose_end();
                self.host.end(end);
            }
        }
        self.shared.borrow().checker.failure().is_none()
    }

    fn poll(&mut self, actor: ActorId) {
        if let Some(program) = &mut self.actors[actor]
            && program
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        {
            self.actors[actor] = None;
        }
    }

    fn choose_end(&self) -> End {
        if !self.with_transactions && self.shared.borrow().random.chance(35) {
            End::PowerCut
        } else {
            End::Kill
        }
    }

    /// Something breaks, or is mended again.
    fn fault(&mut self) {
        if self.shared.borrow().calm {
            return;
        }
        let end = self.choose_end();
        let mut world = self.shared.borrow();
        let next_us = world.random.between(100_000, 4_000_000);
        world.schedule(next_us, Event::Fault);
        let choice = world.random.below(100);
        let (calls, torn) = (world.random.between(0, 80), world.random.below(600));
        match choice {
            0..20 => {
                drop(world);
                self.host.end(end);
            }
            20..50 => {
                world.note(format_args!("broker: {end:?} after {calls} more disk calls"));
                drop(world);
                self.host.end_at_call(end, calls, torn);
            }
            50..62 => {
                drop(world);
                self.host.restart();
            }
            62..80 => {
                let links = world.network.links();
                if !links.is_empty() {
                    let link = links[world.random.below(links.len())];
                    world.note(format_args!("connection {} breaks", link.0));
                    world.cut(link);
                }
            }
            80..86 => {
                self.host.slow_disk = !self.host.slow_disk;
                world.note(format_args!("slow disk: {}", self.host.slow_disk));
            }
            86..92 => {
                world.network.slow_us = if world.network.slow_us == 0 { 50_000 } else { 0 };
                let slow_us = world.network.slow_us;
                world.note(format_args!("network slower by {slow_us} us"));
            }
            // Where the disk fails, it fails as if the power had gone.
            92..94 if !self.with_transactions => {
                world.note(format_args!("disk error after {calls} more calls"));
                drop(world);
                if torn % 2 == 0 {
                    self.host.fail_sync();
                } else {
                    self.host.fail_at_call(calls);
                }
            }
            94..97 => {
                let (left, lasts_us) = (
                    world.random.between(0, 60_000),
                    world.random.between(200_000, 6_000_000),
                );
                world.note(format_args!("the disk has {left} bytes left"));
                world.schedule(lasts_us, Event::Room);
                drop(world);
                self.host.fill_disk(left);
            }
            _ => {
                // Never so far that a producer's timestamp is too far off for the broker (an hour).
                world.clock_skew_ms = world.random.between(0, 3_400_000).cast_signed() - 1_700_000;
                let skew_ms = world.clock_skew_ms;
                world.note(format_args!("clock is off by {skew_ms} ms"));
            }
        }
    }

    fn become_calm(&mut self) {
        {
            let mut world = self.shared.borrow();
            world.note(format_args!("calm"));
            world.calm = true;
            world.network.slow_us = 0;
        }
        self.host.mend();
        self.host.slow_disk = false;
    }
}
