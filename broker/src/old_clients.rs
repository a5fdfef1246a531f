//! Who still uses versions of before Kafka 4.0, and what converting their records costs.
//!
//! Everything here is bounded: so many uses are told apart, further ones are summed up; a client is named in the log
//! once an hour. The core counts; time is measured by whoever runs its jobs.

use std::collections::BTreeMap;

use klamm_protocol::Str;

use crate::router::served;

/// Uses that are told apart.
const USES_MAX: usize = 1_000;

/// Clients that are remembered for having been named in the log.
const TOLD_MAX: usize = 1_000;

/// Uses that are named when the broker stops.
const SUMMARY_USES: usize = 10;

/// A client is named again after so long.
const QUIET_MS: u64 = 3_600_000;

/// So much of a client's name is kept, in characters.
const NAME_MAX: usize = 64;

/// The lowest version that Kafka 4.0 serves, of each API that had lower ones (KIP-896).
const OLDEST_IN_KAFKA_4: [(i16, i16); 18] = [
    (0, 3),
    (1, 4),
    (2, 1),
    (8, 2),
    (9, 1),
    (19, 2),
    (20, 1),
    (23, 2),
    (27, 1),
    (29, 1),
    (30, 1),
    (31, 1),
    (32, 1),
    (34, 1),
    (35, 1),
    (38, 1),
    (39, 1),
    (40, 1),
];

/// Whether Kafka 4.0 refuses this.
fn is_old(key: i16, version: i16) -> bool {
    let row = OLDEST_IN_KAFKA_4.binary_search_by_key(&key, |row| row.0);
    row.is_ok_and(|at| version < OLDEST_IN_KAFKA_4[at].1)
}

/// What converting records has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Records converted.
    pub records: u64,
    /// Bytes that they took before.
    pub bytes: u64,
    /// Microseconds that the jobs took. What is converted at once, since it is short, is not measured.
    pub us: u64,
}

impl Conversion {
    pub(crate) fn add(&mut self, more: Conversion) {
        self.records += more.records;
        self.bytes += more.bytes;
        self.us += more.us;
    }
}

/// One use: what a client calls itself, the API and its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The client id, shortened; empty where there is none.
    pub client: Str,
    /// The API.
    pub key: i16,
    /// Its version.
    pub version: i16,
}

/// What is known of clients from before Kafka 4.0.
#[derive(Debug, Default)]
pub struct OldClients {
    uses: BTreeMap<Use, u64>,
    rest: u64,
    /// When a client was last named in the log.
    told_ms: BTreeMap<Str, u64>,
    /// Message sets that became batches.
    pub converted_on_produce: Conversion,
    /// Batches that became message sets.
    pub converted_on_fetch: Conversion,
}

impl OldClients {
    /// Counts a request, if it is an old one. Gives the client's name if it is to be named in the log now.
    pub(crate) fn note(
        &mut self,
        client_id: Option<&Str>,
        key: i16,
        version: i16,
        now_ms: u64,
    ) -> Option<Str> {
        if !is_old(key, version) {
            return None;
        }
        let name = client_id.map(|id| id.chars().take(NAME_MAX).collect::<String>());
        // An own copy, or the frame that it came in would be kept.
        let client = Str::from(name.unwrap_or_default());
        let used = Use {
            client: client.clone(),
            key,
            version,
        };
        let has_room = self.uses.len() < USES_MAX;
        match self.uses.get_mut(&used) {
            Some(count) => *count += 1,
            None if has_room => {
                self.uses.insert(used, 1);
            }
            None => self.rest += 1,
        }
        self.may_tell(&client, now_ms).then_some(client)
    }

    fn may_tell(&mut self, client: &Str, now_ms: u64) -> bool {
        let is_quiet = |at_ms: u64| now_ms.saturating_sub(at_ms) < QUIET_MS;
        if self.told_ms.get(client).is_some_and(|&at_ms| is_quiet(at_ms)) {
            return false;
        }
        if self.told_ms.len() >= TOLD_MAX && !self.told_ms.contains_key(client) {
            self.told_ms.retain(|_, at_ms| is_quiet(*at_ms));
            if self.told_ms.len() >= TOLD_MAX {
                return false;
            }
        }
        self.told_ms.insert(client.clone(), now_ms);
        true
    }

    /// All of it in a line for the log; `None` if there is nothing to say.
    pub(crate) fn summary(&self) -> Option<String> {
        let requests = self.uses.values().sum::<u64>() + self.rest;
        if requests == 0 {
            return None;
        }
        let mut most: Vec<_> = self.uses().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let most = most.iter().take(SUMMARY_USES).map(|(used, count)| {
            let Use { client, key, version } = used;
            let name = served(*key).map_or("?", |row| row.name);
            format!("{count} {name} version {version} by {client:?}")
        });
        let cost = |conversion: &Conversion| {
            let Conversion { records, bytes, us } = conversion;
            format!("{records} records, {bytes} bytes, {us} us")
        };
        Some(format!(
            "{requests} requests that Kafka 4 would refuse, most often {}; converted on produce: {}, on fetch: {}",
            most.collect::<Vec<_>>().join(", "),
            cost(&self.converted_on_produce),
            cost(&self.converted_on_fetch),
        ))
    }

    /// Every use and how often it was seen since the start.
    pub fn uses(&self) -> impl Iterator<Item = (&Use, u64)> {
        self.uses.iter().map(|(used, count)| (used, *count))
    }

    /// Old requests beyond the uses that are told apart.
    pub fn rest(&self) -> u64 {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_kafka_4_refuses_is_counted_and_by_client_api_and_version() {
        let mut old = OldClients::default();
        let (one, other) = (Str::from("one"), Str::from("other"));
        for (client, key, version) in [(&one, 0, 2), (&one, 0, 2), (&other, 0, 2), (&one, 1, 3)] {
            old.note(Some(client), key, version, 0);
        }
        for (key, version) in [(0, 3), (1, 4), (3, 0), (18, 0), (11, 0)] {
            assert_eq!(old.note(Some(&one), key, version, 0), None);
        }
        let counts: Vec<_> = old
            .uses()
            .map(|(used, count)| (&*used.client, used.key, count))
            .collect();
        assert_eq!(counts, [("one", 0, 2), ("one", 1, 1), ("other", 0, 1)]);
        let summary = old.summary().expect("there is something to say");
        assert!(summary.starts_with(
            "4 requests that Kafka 4 would refuse, most often 2 Produce version 2 by \"one\", 1 Fetch version 3 by"
        ));
        assert_eq!(OldClients::default().summary(), None);
        assert!(OLDEST_IN_KAFKA_4.is_sorted_by_key(|row| row.0));
    }

    #[test]
    fn a_client_is_named_once_an_hour() {
        let mut old = OldClients::default();
        let client = Str::from("one");
        let mut note = |now_ms| old.note(Some(&client), 0, 0, now_ms).is_some();
        assert_eq!(
            [0, 1, QUIET_MS - 1, QUIET_MS, QUIET_MS + 1].map(&mut note),
            [true, false, false, true, false]
        );
    }

    #[test]
    fn whoever_makes_up_names_fills_neither_the_memory_nor_the_log() {
        let mut old = OldClients::default();
        let named = (0..5_000).filter(|n| {
            let client = Str::from(format!("{n}{}", "x".repeat(30_000)));
            let named = old.note(Some(&client), 0, 0, 0);
            named.is_some_and(|name| name.chars().count() <= NAME_MAX)
        });
        assert_eq!(named.count(), TOLD_MAX);
        assert_eq!(old.uses().count(), USES_MAX);
        assert_eq!(old.rest(), 4_000);
        assert!(
            old.note(None, 0, 0, QUIET_MS).is_some(),
            "after an hour others have their turn"
        );
    }
}
