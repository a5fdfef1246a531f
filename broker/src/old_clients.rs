//! Who still uses versions of before Kafka 4.0, and what converting their records costs.
//!
//! Everything here is bounded: so many uses are told apart, those seen longest ago are forgotten but for their sum; a
//! client is named in the log once an hour. The core counts; time is measured by whoever runs its jobs.
//! `klamm cluster` asks for it with a DescribeCluster (docs/decisions/old-clients-in-describe-cluster.md).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_protocol::Str;
use klamm_protocol::messages::api_versions::ApiVersionsRequest;
use klamm_protocol::messages::describe_cluster::{self, OldClientUse};

use crate::router::served;
use crate::{ConnectionId, Now};

/// Uses that are told apart.
const USES_MAX: usize = 1_000;

/// Uses that are told to who asks.
const LISTED_USES: usize = 200;

/// Clients that are remembered for having been named in the log.
const TOLD_MAX: usize = 1_000;

/// Uses that are named when the broker stops.
const SUMMARY_USES: usize = 10;

/// A client is named again after so long.
const QUIET_MS: u64 = 3_600_000;

/// So much of a client's name is kept, in characters.
const NAME_MAX: usize = 64;

/// The lowest version that Kafka 4.0 serves, of each API that had lower ones (KIP-896).
const OLDEST_IN_KAFKA_4: [(i16, i16); 19] = [
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
    (41, 1),
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

/// Name and version of a client's software, shortened; empty where it did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Software {
    /// Its name.
    pub name: Str,
    /// Its version.
    pub version: Str,
}

/// One use: who the client is, the API and its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The client id, shortened; empty where there is none.
    pub client: Str,
    /// What the client runs.
    pub software: Software,
    /// The API.
    pub key: i16,
    /// Its version.
    pub version: i16,
}

/// How a use was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Requests.
    pub requests: u64,
    /// When the first came, in milliseconds since 1970.
    pub first_ms: i64,
    /// When the last came.
    pub last_ms: i64,
    /// What was converted for them.
    pub converted: Conversion,
}

/// An old request, as it was counted.
pub(crate) struct Noted {
    pub used: Arc<Use>,
    /// Whether its client is to be named in the log now.
    pub tell: bool,
}

/// What is known of clients from before Kafka 4.0.
#[derive(Debug, Default)]
pub struct OldClients {
    uses: BTreeMap<Arc<Use>, Usage>,
    /// Requests of uses that are forgotten.
    rest: u64,
    /// What the connected clients said that they run.
    software: BTreeMap<ConnectionId, Software>,
    /// When a client was last named in the log.
    told_ms: BTreeMap<Str, u64>,
    /// Message sets that became batches.
    pub converted_on_produce: Conversion,
    /// Batches that became message sets.
    pub converted_on_fetch: Conversion,
}

impl OldClients {
    /// A client says what it runs.
    pub(crate) fn introduce(&mut self, connection: ConnectionId, request: &ApiVersionsRequest) {
        let software = Software {
            name: shortened(&request.client_software_name),
            version: shortened(&request.client_software_version),
        };
        if software != Software::default() {
            self.software.insert(connection, software);
        }
    }

    /// A client has gone.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        self.software.remove(&connection);
    }

    /// Counts a request, if it is an old one.
    pub(crate) fn note(
        &mut self,
        connection: ConnectionId,
        client_id: Option<&Str>,
        key: i16,
        version: i16,
        now: Now,
    ) -> Option<Noted> {
        if !is_old(key, version) {
            return None;
        }
        let used = Arc::new(Use {
            client: client_id.map(shortened).unwrap_or_default(),
            software: self.software.get(&connection).cloned().unwrap_or_default(),
            key,
            version,
        });
        if self.uses.len() >= USES_MAX && !self.uses.contains_key(&used) {
            self.forget_the_oldest();
        }
        let usage = self.uses.entry(used.clone()).or_insert(Usage {
            requests: 0,
            first_ms: now.unix_ms,
            last_ms: now.unix_ms,
            converted: Conversion::default(),
        });
        usage.requests += 1;
        usage.last_ms = now.unix_ms;
        let tell = self.may_tell(&used.client, now.elapsed_ms);
        Some(Noted { used, tell })
    }

    fn forget_the_oldest(&mut self) {
        let oldest = self.uses.iter().min_by_key(|(_, usage)| usage.last_ms);
        if let Some(usage) = oldest
            .map(|(used, _)| used.clone())
            .and_then(|used| self.uses.remove(&used))
        {
            self.rest += usage.requests;
        }
    }

    /// Records were converted for a use.
    pub(crate) fn converted(&mut self, used: &Use, price: Conversion) {
        match served(used.key).map(|row| row.name) {
            Some("Produce") => self.converted_on_produce.add(price),
            _ => self.converted_on_fetch.add(price),
        }
        if let Some(usage) = self.uses.get_mut(used) {
            usage.converted.add(price);
        }
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
        let requests = self.requests();
        if requests == 0 {
            return None;
        }
        let mut most: Vec<_> = self.uses().collect();
        most.sort_by_key(|(_, usage)| Reverse(usage.requests));
        let most = most.iter().take(SUMMARY_USES).map(|(used, usage)| {
            let name = served(used.key).map_or("?", |row| row.name);
            format!(
                "{} {name} version {} by {:?}",
                usage.requests, used.version, used.client
            )
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

    /// What DescribeCluster tells of it.
    pub(crate) fn listing(&self) -> describe_cluster::OldClients {
        let mut latest: Vec<_> = self.uses().collect();
        latest.sort_by_key(|(_, usage)| Reverse(usage.last_ms));
        latest.truncate(LISTED_USES);
        let listed: u64 = latest.iter().map(|(_, usage)| usage.requests).sum();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let uses = latest.into_iter().map(|(used, usage)| OldClientUse {
            client_id: used.client.clone(),
            software_name: used.software.name.clone(),
            software_version: used.software.version.clone(),
            api_key: used.key,
            api_version: used.version,
            requests: number(usage.requests),
            first_ms: usage.first_ms,
            last_ms: usage.last_ms,
            converted_records: number(usage.converted.records),
            converted_bytes: number(usage.converted.bytes),
            conversion_us: number(usage.converted.us),
        });
        describe_cluster::OldClients {
            uses: uses.collect(),
            further_requests: number(self.requests() - listed),
        }
    }

    /// Every use that is remembered.
    pub fn uses(&self) -> impl Iterator<Item = (&Use, &Usage)> {
        self.uses.iter().map(|(used, usage)| (&**used, usage))
    }

    /// Old requests since the start.
    fn requests(&self) -> u64 {
        self.uses.values().map(|usage| usage.requests).sum::<u64>() + self.rest
    }
}

/// An own copy, or the frame that it came in would be kept.
fn shortened(name: &Str) -> Str {
    Str::from(name.chars().take(NAME_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::SERVED;

    const SOMEBODY: ConnectionId = ConnectionId(1);

    fn at(ms: u64) -> Now {
        Now {
            elapsed_ms: ms,
            unix_ms: ms as i64,
        }
    }

    #[test]
    fn only_what_kafka_4_refuses_is_counted_and_by_client_api_and_version() {
        let mut old = OldClients::default();
        let (one, other) = (Str::from("one"), Str::from("other"));
        for (client, key, version) in [(&one, 0, 2), (&one, 0, 2), (&other, 0, 2), (&one, 1, 3)] {
            old.note(SOMEBODY, Some(client), key, version, at(0));
        }
        for (key, version) in [(0, 3), (1, 4), (3, 0), (18, 0), (11, 0)] {
            assert!(old.note(SOMEBODY, Some(&one), key, version, at(0)).is_none());
        }
        let counts: Vec<_> = old
            .uses()
            .map(|(used, usage)| (&*used.client, used.key, usage.requests))
            .collect();
        assert_eq!(counts, [("one", 0, 2), ("one", 1, 1), ("other", 0, 1)]);
        let summary = old.summary().expect("there is something to say");
        assert!(summary.starts_with(
            "4 requests that Kafka 4 would refuse, most often 2 Produce version 2 by \"one\", 1 Fetch version 3 by"
        ));
        assert_eq!(OldClients::default().summary(), None);
        assert!(OLDEST_IN_KAFKA_4.is_sorted_by_key(|row| row.0));
    }

    /// Kafka 3.9 serves every API from version 0 on. Those that 4.0 begins later are in the list.
    #[test]
    fn what_kafka_4_removed_is_served_of_every_api_that_is_served_at_all() {
        for row in SERVED {
            assert_eq!(row.min, 0, "{}", row.name);
        }
        let absent = OLDEST_IN_KAFKA_4.iter().filter(|(key, _)| served(*key).is_none());
        let absent: Vec<_> = absent.map(|(key, _)| *key).collect();
        assert_eq!(
            absent,
            [38, 39, 40, 41],
            "delegation tokens, which no version serves yet"
        );
    }

    #[test]
    fn a_client_is_named_once_an_hour() {
        let mut old = OldClients::default();
        let client = Str::from("one");
        let mut tell = |now_ms| {
            let noted = old.note(SOMEBODY, Some(&client), 0, 0, at(now_ms));
            noted.expect("it is old").tell
        };
        assert_eq!(
            [0, 1, QUIET_MS - 1, QUIET_MS, QUIET_MS + 1].map(&mut tell),
            [true, false, false, true, false]
        );
    }

    #[test]
    fn whoever_makes_up_names_fills_neither_the_memory_nor_the_log_nor_an_answer() {
        let mut old = OldClients::default();
        let told = (0..5_000).filter(|n| {
            let client = Str::from(format!("{n}{}", "x".repeat(30_000)));
            let noted = old
                .note(SOMEBODY, Some(&client), 0, 0, at(*n))
                .expect("it is old");
            assert!(noted.used.client.chars().count() <= NAME_MAX);
            noted.tell
        });
        assert_eq!(told.count(), TOLD_MAX);
        assert_eq!(old.uses().count(), USES_MAX);
        let listing = old.listing();
        assert_eq!(listing.uses.len(), LISTED_USES);
        assert_eq!(listing.further_requests, 5_000 - LISTED_USES as i64);
        let latest = listing.uses.iter().map(|one| one.last_ms);
        assert!(latest.eq((4_800..5_000).rev()), "who was here last is told");
        let noted = old.note(SOMEBODY, None, 0, 0, at(QUIET_MS));
        assert!(
            noted.is_some_and(|noted| noted.tell),
            "after an hour others have their turn"
        );
    }

    #[test]
    fn a_use_tells_the_software_when_it_was_seen_and_what_it_cost() {
        let mut old = OldClients::default();
        let client = Str::from("c");
        let request = ApiVersionsRequest {
            client_software_name: "lib".into(),
            client_software_version: "1.2".into(),
            ..ApiVersionsRequest::default()
        };
        old.introduce(SOMEBODY, &request);
        old.note(SOMEBODY, Some(&client), 1, 3, at(5));
        let noted = old.note(SOMEBODY, Some(&client), 1, 3, at(9)).expect("it is old");
        let price = Conversion {
            records: 10,
            bytes: 100,
            us: 7,
        };
        old.converted(&noted.used, price);
        old.forget(SOMEBODY);
        old.note(SOMEBODY, Some(&client), 1, 3, at(8));
        let expected = OldClientUse {
            client_id: "c".into(),
            software_name: "lib".into(),
            software_version: "1.2".into(),
            api_key: 1,
            api_version: 3,
            requests: 2,
            first_ms: 5,
            last_ms: 9,
            converted_records: 10,
            converted_bytes: 100,
            conversion_us: 7,
        };
        let uses = old.listing().uses;
        assert_eq!(uses[0], expected);
        assert_eq!((&*uses[1].software_name, uses[1].requests), ("", 1));
        assert_eq!(
            (old.converted_on_fetch, old.converted_on_produce),
            (price, Conversion::default())
        );
    }
}
