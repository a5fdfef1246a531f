//! The consumer group: generations, ownership and committed offsets.

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::Uuid;

/// A partition that a group consumes.
pub type Owned = (Uuid, i32);

/// See the module.
#[derive(Default)]
pub struct GroupChecker {
    /// The latest generation whose assignment a member was told. An earlier one need not be remembered.
    generation: i32,
    /// Who owns what in a generation.
    owners: BTreeMap<i32, BTreeMap<Owned, String>>,
    commits: BTreeMap<Owned, Commits>,
    /// Of generations and offsets from before a power cut nothing is owed.
    power_cuts: u64,
}

#[derive(Default)]
struct Commits {
    /// Acknowledged, in order.
    acked: Vec<i64>,
    /// Asked for, without an answer: it may have been carried out, and may yet be.
    uncertain: BTreeSet<i64>,
    /// The power went since the last acknowledgement.
    forgotten: bool,
}

/// Taken before a group's offsets or generation are asked for.
#[derive(Clone, Debug)]
pub struct GroupTicket {
    power_cuts: u64,
    generation: i32,
    /// For each partition how many commits were acknowledged.
    acked: BTreeMap<Owned, usize>,
}

impl GroupChecker {
    pub(super) fn power_cut(&mut self) {
        self.power_cuts += 1;
        self.generation = 0;
        self.owners.clear();
        for commits in self.commits.values_mut() {
            commits.uncertain.extend(commits.acked.drain(..));
            commits.forgotten = true;
        }
    }

    /// See [`GroupTicket`].
    pub fn ticket(&self) -> GroupTicket {
        let acked = self
            .commits
            .iter()
            .map(|(owned, commits)| (*owned, commits.acked.len()))
            .collect();
        GroupTicket {
            power_cuts: self.power_cuts,
            generation: self.generation,
            acked,
        }
    }

    /// A member was told its generation.
    pub fn joined(&self, generation: i32, ticket: &GroupTicket) -> Result<(), String> {
        if ticket.power_cuts != self.power_cuts {
            return Ok(());
        }
        if generation < ticket.generation {
            let before = ticket.generation;
            return Err(format!(
                "a member joined generation {generation} after generation {before} was there"
            ));
        }
        Ok(())
    }

    /// A member was told its partitions, or that it still has them.
    pub fn assigned(
        &mut self,
        generation: i32,
        member: &str,
        partitions: &[Owned],
        ticket: &GroupTicket,
    ) -> Result<(), String> {
        if ticket.power_cuts != self.power_cuts {
            return Ok(());
        }
        if generation < ticket.generation {
            let latest = ticket.generation;
            return Err(format!(
                "a member of generation {generation} was given partitions after generation {latest} was there"
            ));
        }
        self.generation = self.generation.max(generation);
        let owners = self.owners.entry(generation).or_default();
        for owned in partitions {
            let owner = owners.entry(*owned).or_insert_with(|| member.to_owned());
            if owner != member {
                let (topic, partition) = owned;
                return Err(format!(
                    "{topic}-{partition} has two owners in generation {generation}: {owner}, {member}"
                ));
            }
        }
        Ok(())
    }

    /// The latest generation, and how many partitions have an owner in it.
    pub fn owned_now(&self) -> (i32, usize) {
        (
            self.generation,
            self.owners.get(&self.generation).map_or(0, BTreeMap::len),
        )
    }

    /// A member asks to commit.
    pub fn commit_asked(&mut self, owned: Owned, offset: i64) {
        self.commits.entry(owned).or_default().uncertain.insert(offset);
    }

    /// A commit was acknowledged to a member of `generation`.
    pub fn committed(
        &mut self,
        owned: Owned,
        offset: i64,
        generation: i32,
        ticket: &GroupTicket,
    ) -> Result<(), String> {
        if ticket.power_cuts != self.power_cuts {
            return Ok(());
        }
        if generation < ticket.generation {
            let latest = ticket.generation;
            return Err(format!(
                "a member of generation {generation} committed after generation {latest} was there"
            ));
        }
        let commits = self.commits.entry(owned).or_default();
        commits.uncertain.remove(&offset);
        commits.acked.push(offset);
        commits.forgotten = false;
        Ok(())
    }

    /// A commit was refused: it was not carried out.
    pub fn refused(&mut self, owned: Owned, offset: i64) {
        if let Some(commits) = self.commits.get_mut(&owned) {
            commits.uncertain.remove(&offset);
        }
    }

    /// The group's offset of a partition was shown, -1 for none.
    pub fn fetched(&mut self, owned: Owned, shown: i64, ticket: &GroupTicket) -> Result<(), String> {
        if ticket.power_cuts != self.power_cuts {
            return Ok(());
        }
        let commits = self.commits.entry(owned).or_default();
        let acked_then = ticket.acked.get(&owned).copied().unwrap_or(0);
        // The one that was the last when it was asked for, and those since.
        let allowed = &commits.acked[acked_then.saturating_sub(1)..];
        let none_yet = acked_then == 0 && shown == -1;
        if none_yet || commits.forgotten || allowed.contains(&shown) || commits.uncertain.contains(&shown) {
            return Ok(());
        }
        let (topic, partition) = owned;
        let uncertain = &commits.uncertain;
        Err(format!(
            "{topic}-{partition}: offset {shown} is shown, {allowed:?} was committed, {uncertain:?} perhaps"
        ))
    }
}
