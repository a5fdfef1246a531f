//! Records and topics: what was sent, acknowledged and read.

use std::collections::BTreeMap;
use std::ops::Range;

use klamm_protocol::Uuid;

use super::{Checker, Ticket};

/// What a record says: a number that no other record has.
pub type Value = u64;

/// A record that a producer made.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Where it was sent.
    pub topic: Uuid,
    /// Where it was sent.
    pub partition: i32,
    /// Sent by an idempotent producer: it lies at one offset at most.
    pub idempotent: bool,
}

/// What a topic promises, by the words in its name; it is created so.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// Acknowledged means synced.
    pub durable: bool,
    /// Its beginning goes after a while, or when somebody asks for it.
    pub trimmed: bool,
    /// Of the records of a key the last one stays.
    pub compacted: bool,
}

impl Promise {
    /// Of a topic of this name.
    pub fn of(name: &str) -> Promise {
        Promise {
            durable: name.contains("durable"),
            trimmed: name.contains("trimmed"),
            compacted: name.contains("compacted"),
        }
    }
}

/// The key of a record in a compacted topic.
pub fn key_of(value: Value) -> u64 {
    value % 31
}

pub(super) struct Topic {
    pub name: String,
    pub promise: Promise,
    /// Its creation was acknowledged, and nobody has asked for its deletion.
    pub owed: bool,
}

/// Where a log begins at the least, for as long as the broker does not end.
#[derive(Clone, Copy, Debug)]
pub struct LeastStart {
    ends: u64,
    offset: i64,
}

impl LeastStart {
    /// The log was asked to begin at `offset` at the least.
    pub fn at(self, offset: i64) -> LeastStart {
        LeastStart {
            offset: self.offset.max(offset),
            ..self
        }
    }
}

/// What is known of one partition.
#[derive(Default)]
pub(super) struct Partition {
    values: BTreeMap<i64, Value>,
    placed: BTreeMap<Value, i64>,
    /// Acknowledged, so owed to every reader.
    owed: BTreeMap<i64, Value>,
    /// Where the log began when somebody last asked, and how often the broker had ended until then: it may begin
    /// earlier again after an end, never before.
    start: (u64, i64),
}

impl Partition {
    fn acked_end(&self) -> i64 {
        self.owed.last_key_value().map_or(0, |(offset, _)| offset + 1)
    }
}

impl Checker {
    /// A new record for a partition.
    pub fn send(&mut self, sent: Sent) -> Value {
        self.next_value += 1;
        self.sent.insert(self.next_value, sent);
        self.next_value
    }

    /// A topic of this id is known to exist, or to have existed.
    pub fn topic_exists(&mut self, name: &str, id: Uuid) {
        self.topics.entry(id).or_insert_with(|| Topic {
            name: name.to_owned(),
            promise: Promise::of(name),
            owed: false,
        });
    }

    /// The creation of a topic was acknowledged.
    pub fn topic_created(&mut self, name: &str, id: Uuid) {
        self.topic_exists(name, id);
        self.topics.get_mut(&id).expect("just inserted").owed = true;
        self.counts.topic_changes += 1;
    }

    /// Somebody asks for the deletion of a topic: from now on it may be gone.
    pub fn topic_deletion_asked(&mut self, id: Uuid) {
        if let Some(topic) = self.topics.get_mut(&id) {
            topic.owed = false;
        }
    }

    /// The deletion of a topic was acknowledged.
    pub fn topic_deleted(&mut self, id: Uuid) {
        self.deleted.insert(id);
        self.counts.topic_changes += 1;
    }

    /// What the metadata has to show and must not show, as of now: taken before it is asked for.
    pub fn metadata_owed(&self) -> (Vec<Uuid>, Vec<Uuid>) {
        let owed = self
            .topics
            .iter()
            .filter(|(_, topic)| topic.owed)
            .map(|(id, _)| *id)
            .collect();
        (owed, self.deleted.iter().copied().collect())
    }

    /// The metadata showed these topics; `owed` and `deleted` are of the time when it was asked for.
    pub fn metadata_shown(&mut self, shown: &[(String, Uuid)], owed: &[Uuid], deleted: &[Uuid]) {
        for id in owed {
            let still_owed = self.topics.get(id).filter(|topic| topic.owed);
            if let Some(topic) = still_owed
                && !shown.iter().any(|(_, shown)| shown == id)
            {
                let lost = format!(
                    "topic {} ({id}) was created and is not in the metadata",
                    topic.name
                );
                return self.fail(lost);
            }
        }
        for (name, id) in shown {
            if deleted.contains(id) {
                return self.fail(format!(
                    "topic {name} ({id}) was deleted and is in the metadata again"
                ));
            }
            if self.topics.get(id).is_some_and(|topic| topic.name != *name) {
                return self.fail(format!("topic id {id} belongs to {name} now"));
            }
        }
    }

    /// Whether a topic acknowledges only what is synced.
    pub fn is_durable(&self, topic: Uuid) -> bool {
        self.promise(topic).durable
    }

    /// What a topic promises; nothing, if nobody knows it.
    pub fn promise(&self, topic: Uuid) -> Promise {
        self.topics
            .get(&topic)
            .map_or(Promise::of(""), |topic| topic.promise)
    }

    /// Whether nothing that this ticket's answer says may have been taken back since.
    pub fn holds(&self, topic: Uuid, ticket: Ticket) -> bool {
        self.is_current(ticket) || self.is_durable(topic)
    }

    /// Values lie at consecutive offsets, as the broker says in its acknowledgement.
    pub fn acked(&mut self, topic: Uuid, partition: i32, base_offset: i64, values: &[Value], ticket: Ticket) {
        if !self.holds(topic, ticket) {
            return;
        }
        for (offset, value) in (base_offset..).zip(values) {
            if let Err(contradiction) = self.agree(topic, partition, offset, *value) {
                return self.fail(format!("acknowledged, but {contradiction}"));
            }
            self.partitions
                .entry((topic, partition))
                .or_default()
                .owed
                .insert(offset, *value);
            self.counts.acked += 1;
        }
    }

    /// Somebody read a value.
    pub fn read(&mut self, topic: Uuid, partition: i32, offset: i64, value: Value, ticket: Ticket) {
        self.counts.read += 1;
        let place = format!("{}-{partition} offset {offset}", self.name(topic));
        match self.sent.get(&value) {
            None => return self.fail(format!("{place}: value {value} was never sent")),
            Some(sent) if (sent.topic, sent.partition) != (topic, partition) => {
                return self.fail(format!("{place}: value {value} was sent elsewhere: {sent:?}"));
            }
            Some(_) => {}
        }
        if self.holds(topic, ticket)
            && let Err(contradiction) = self.agree(topic, partition, offset, value)
        {
            self.fail(format!("read, but {contradiction}"));
        }
    }

    /// A reader at `expected` was given `offset` next.
    pub fn polled(&mut self, topic: Uuid, partition: i32, expected: i64, offset: i64) {
        let may_skip = self.promise(topic).compacted && offset > expected;
        if expected != offset && !may_skip {
            let name = self.name(topic);
            self.fail(format!(
                "{name}-{partition}: a reader at offset {expected} was given {offset} next"
            ));
        }
    }

    /// The least that a high watermark may be, if it is asked for now.
    pub fn acked_end(&self, topic: Uuid, partition: i32) -> i64 {
        self.partitions
            .get(&(topic, partition))
            .map_or(0, Partition::acked_end)
    }

    /// A high watermark was shown to somebody who asked when `at_least` was acknowledged.
    pub fn high_watermark(&mut self, topic: Uuid, partition: i32, shown: i64, at_least: i64, ticket: Ticket) {
        if shown < at_least && self.holds(topic, ticket) {
            let name = self.name(topic);
            self.fail(format!(
                "{name}-{partition}: high watermark {shown} when {at_least} was acknowledged"
            ));
        }
    }

    /// An offset that lies behind the beginning of the log is out of range, said the broker when it was asked by
    /// somebody who knew `least`. Where a log is trimmed, it may since have ended and begin earlier again.
    pub fn out_of_range(
        &mut self,
        topic: Uuid,
        partition: i32,
        offset: i64,
        ticket: Ticket,
        least: LeastStart,
    ) {
        let may_begin_earlier = self.promise(topic).trimmed && least.ends != self.ends;
        if self.holds(topic, ticket) && !may_begin_earlier {
            let name = self.name(topic);
            self.fail(format!(
                "{name}-{partition}: offset {offset} was given to a reader and is out of range"
            ));
        }
    }

    /// Where the log begins at the least, if it is asked for now.
    pub fn least_start(&self, topic: Uuid, partition: i32) -> LeastStart {
        let (ends, offset) = self
            .partitions
            .get(&(topic, partition))
            .map_or((0, 0), |known| known.start);
        LeastStart {
            ends: self.ends,
            offset: if ends == self.ends { offset } else { 0 },
        }
    }

    /// A log begins at this offset, says the broker to somebody who knew `least` before.
    pub fn starts_at(&mut self, topic: Uuid, partition: i32, start: i64, least: LeastStart) {
        if self.ends != least.ends {
            return;
        }
        if start < least.offset {
            let name = self.name(topic);
            return self.fail(format!(
                "{name}-{partition}: begins at {start} and began at {} before",
                least.offset
            ));
        }
        let known = self.partitions.entry((topic, partition)).or_default();
        let before = if known.start.0 == self.ends {
            known.start.1
        } else {
            0
        };
        known.start = (self.ends, before.max(start));
    }

    /// Everything was read from the first offset to the last, once nothing went on any more, but for `skipped`.
    pub fn audited(&mut self, topic: Uuid, partition: i32, end: i64, skipped: &[Range<i64>]) {
        let acked_end = self.acked_end(topic, partition);
        if end < acked_end {
            let name = self.name(topic);
            self.fail(format!(
                "{name}-{partition}: ends at {end}, records up to {acked_end} were acknowledged"
            ));
        }
        let Some(known) = self.partitions.get(&(topic, partition)) else {
            return;
        };
        let is_skipped = |offset: &i64| skipped.iter().any(|range| range.contains(offset));
        let mut last_of_key = BTreeMap::new();
        for (offset, value) in known.values.iter().filter(|(offset, _)| !is_skipped(offset)) {
            last_of_key.insert(key_of(*value), *offset);
        }
        let lost = known.owed.iter().find(|(offset, value)| {
            is_skipped(offset)
                && last_of_key
                    .get(&key_of(**value))
                    .is_none_or(|last| last < *offset)
        });
        if let Some((offset, value)) = lost {
            let name = self.name(topic);
            self.fail(format!(
                "{name}-{partition} offset {offset}: value {value} was acknowledged, is the last of its key, and is \
                 gone"
            ));
        }
    }

    /// The topics that are owed at the end.
    pub fn owed_topics(&self) -> Vec<Uuid> {
        self.metadata_owed().0
    }

    fn agree(&mut self, topic: Uuid, partition: i32, offset: i64, value: Value) -> Result<(), String> {
        let idempotent = self.sent.get(&value).is_some_and(|sent| sent.idempotent);
        let name = self.name(topic);
        let known = self.partitions.entry((topic, partition)).or_default();
        let before = *known.values.entry(offset).or_insert(value);
        if before != value {
            return Err(format!(
                "{name}-{partition} offset {offset} had value {before} and has {value} now"
            ));
        }
        let place = *known.placed.entry(value).or_insert(offset);
        if idempotent && place != offset {
            return Err(format!(
                "{name}-{partition} has value {value} twice: at offset {place} and {offset}"
            ));
        }
        Ok(())
    }

    fn name(&self, topic: Uuid) -> String {
        self.topics
            .get(&topic)
            .map_or_else(|| topic.to_string(), |topic| topic.name.clone())
    }
}
