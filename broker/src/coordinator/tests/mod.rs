//! The coordinator as a whole, through its door: scripts to read, and random histories.

mod history;
mod script;
mod world;

use crate::coordinator::Sharded;
use crate::coordinator::{Coordinator, CoordinatorConfig};

#[test]
fn a_load_that_was_overtaken_has_no_say() {
    let mut world = world::World::new(CoordinatorConfig::default(), 1);
    let coordinator: &mut Coordinator = &mut world.coordinator;
    let early = coordinator.start_loading(3);
    let late = coordinator.start_loading(3);
    coordinator.loaded(world.now, early, 0, 0);
    assert!(!coordinator.load_failed(early), "it does not count any more");
    assert!(coordinator.load_failed(late), "the later one is still loading");
    coordinator.loaded(world.now, late, 0, 0);
    assert!(!coordinator.load_failed(late), "nor does one that has failed");
}
