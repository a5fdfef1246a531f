//! What the core wants done, collected while it handles one event.

use std::collections::BTreeMap;

use klamm_storage::LaneJob;

use crate::LaneId;
use crate::job::Job;
use crate::node::Effect;

/// Effects and, apart from them, disk work by lane: all of one event for one lane leaves as one effect, so that
/// the lane can merge it.
#[derive(Default)]
pub(crate) struct Outputs {
    effects: Vec<Effect>,
    lanes: BTreeMap<LaneId, Vec<LaneJob>>,
}

impl Outputs {
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub fn job(&mut self, job: Job) {
        self.push(Effect::Job(job));
    }

    /// Where the disk work of a lane goes.
    pub fn lane(&mut self, lane: LaneId) -> &mut Vec<LaneJob> {
        self.lanes.entry(lane).or_default()
    }

    /// Hands everything out: disk work first, since answers may depend on it but never the other way round.
    pub fn drain(&mut self, effects: &mut Vec<Effect>) {
        for (lane, jobs) in &mut self.lanes {
            if !jobs.is_empty() {
                effects.push(Effect::Lane(*lane, std::mem::take(jobs)));
            }
        }
        effects.append(&mut self.effects);
    }
}
