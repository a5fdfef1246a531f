//! [`Consumer`]: reads records, of partitions that it is given or as a member of a group.
//!
//! One Fetch is on its way to each leader; what it brings is handed out before the same partitions are asked for
//! again, so that memory is bounded by [`ConsumerOptions::max_bytes`] for each leader. `fetched` reads answers, `assignment`
//! deals out partitions, `group` is the place in a group.

pub mod assignment;
mod fetched;
mod group;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use klamm_protocol::{ErrorCode, Str};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use self::assignment::Partitions;
pub use self::group::GroupOptions;
use self::group::Membership;
use crate::admin::TimeSpec;
use crate::{Admin, Cluster, Error};

/// Pause after a partition could not be read.
const BACKOFF: Duration = Duration::from_millis(100);

/// Where reading begins where nothing is committed, or what was is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this offset.
    Offset(i64),
    /// At the first offset, the next one, or the first since a time; where no record is so late, at the next one.
    Time(TimeSpec),
}

/// How records are read.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// How long the broker waits for a record before it answers that there is none.
    pub max_wait: Duration,
    /// Bytes of one answer, give or take a batch.
    pub max_bytes: i32,
    /// Bytes of one partition in an answer, give or take a batch.
    pub partition_max_bytes: i32,
    /// Whether records of transactions that are open or aborted are left out.
    pub read_committed: bool,
    /// Where members of a group begin, and everybody whose offset is gone.
    pub start: TimeSpec,
}

impl Default for ConsumerOptions {
    fn default() -> ConsumerOptions {
        ConsumerOptions {
            max_wait: Duration::from_millis(500),
            max_bytes: 16 << 20,
            partition_max_bytes: 1 << 20,
            read_committed: false,
            start: TimeSpec::Latest,
        }
    }
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumedRecord {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// In milliseconds since 1970, -1 for none.
    pub timestamp_ms: i64,
    /// What partitioning and compaction go by.
    pub key: Option<Bytes>,
    /// `None` deletes the key where the topic is compacted.
    pub value: Option<Bytes>,
    /// Names may repeat.
    pub headers: Vec<(Str, Option<Bytes>)>,
}

#[derive(Debug)]
struct Position {
    /// The next offset; looked up where it is not known.
    next: Result<i64, TimeSpec>,
    /// Where the log ended when it was last read; -1 before.
    high_watermark: i64,
    fetching: bool,
    not_before: Instant,
}

type Place = (Str, i32);

/// One Fetch, and from where it was to read.
#[derive(Debug)]
struct Fetch {
    broker: i32,
    assignment: u64,
    asked: BTreeMap<Place, i64>,
    result: Result<FetchResponse, Error>,
}

/// A member on its way into its group: it waits for the others, and nobody waits for it.
#[derive(Debug)]
struct Joining {
    task: JoinHandle<(Membership, Option<Result<Partitions, Error>>)>,
    /// Once it is gone, the wait is given up.
    cancel: oneshot::Sender<()>,
}

impl Joining {
    fn begin(mut group: Membership) -> Joining {
        let (cancel, cancelled) = oneshot::channel();
        let task = tokio::spawn(async move {
            let joined = tokio::select! {
                joined = group.join() => Some(joined),
                _ = cancelled => None,
            };
            (group, joined)
        });
        Joining { task, cancel }
    }

    /// The membership, and what it is to read; `None` where the wait was given up.
    async fn end(&mut self) -> (Membership, Option<Result<Partitions, Error>>) {
        match (&mut self.task).await {
            Ok(ended) => ended,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    async fn give_up(mut self) -> Membership {
        self.cancel = oneshot::channel().0;
        let mut group = self.end().await.0;
        group.reconnect();
        group
    }
}

/// Reads records.
#[derive(Debug)]
pub struct Consumer {
    /// Connections of its own: a Fetch waits for records, and holds up whatever comes after it.
    cluster: Cluster,
    options: ConsumerOptions,
    positions: BTreeMap<Place, Position>,
    /// Counts assignments, so that what an earlier one asked for is told from the present one.
    assignment: u64,
    fetches: JoinSet<Fetch>,
    busy: BTreeSet<i32>,
    /// `None` also while it is being joined.
    group: Option<Membership>,
    joining: Option<Joining>,
    committed: BTreeMap<Place, i64>,
    commit_at: Instant,
}

impl Consumer {
    /// A consumer that reads nothing yet.
    pub fn new(cluster: &Cluster, options: ConsumerOptions) -> Consumer {
        Consumer {
            cluster: cluster.sibling(),
            options,
            positions: BTreeMap::new(),
            assignment: 0,
            fetches: JoinSet::new(),
            busy: BTreeSet::new(),
            group: None,
            joining: None,
            committed: BTreeMap::new(),
            commit_at: Instant::now(),
        }
    }

    /// Reads these partitions from now on, and no others.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = ((Str, i32), Start)>) {
        self.assignment += 1;
        let position = |start| Position {
            next: match start {
                Start::Offset(offset) => Ok(offset),
                Start::Time(spec) => Err(spec),
            },
            high_watermark: -1,
            fetching: false,
            not_before: Instant::now(),
        };
        self.positions = partitions
            .into_iter()
            .map(|(place, start)| (place, position(start)))
            .collect();
        self.committed.clear();
    }

    /// Reads these topics as a member of a group. Joining happens while polling.
    pub fn subscribe(&mut self, topics: Vec<Str>, group: GroupOptions) {
        self.assign([]);
        self.group = Some(Membership::new(&self.cluster, group, topics));
    }

    /// Goes on at another offset of a partition that is read; what was handed out from there on no longer counts as done.
    pub fn seek(&mut self, topic: &Str, partition: i32, offset: i64) {
        if let Some(position) = self.positions.get_mut(&(topic.clone(), partition)) {
            position.next = Ok(offset);
        }
    }

    /// Where reading goes on: known once a partition was polled.
    pub fn positions(&self) -> BTreeMap<(Str, i32), i64> {
        let known = self.positions.iter();
        known
            .filter_map(|(place, position)| Some((place.clone(), position.next.ok()?)))
            .collect()
    }

    /// Whether everything was read that was there when it was last looked.
    pub fn is_at_end(&self) -> bool {
        self.positions.values().all(|position| {
            position.high_watermark >= 0 && position.next.is_ok_and(|next| next >= position.high_watermark)
        })
    }

    /// The next records, empty after `within`: also while the group waits for its other members. What was handed out before counts as done: members of a group commit it from time to time, and always
    /// before partitions go to others.
    ///
    /// # Errors
    /// [`Error::NoTopic`], [`Error::NoPartition`], [`Error::Records`], refusals. Brokers that cannot be reached are
    /// tried again.
    pub async fn poll(&mut self, within: Duration) -> Result<Vec<ConsumedRecord>, Error> {
        let deadline = Instant::now() + within;
        loop {
            self.take_part().await?;
            self.look_up().await?;
            self.fetch().await?;
            let paused = self.positions.values().map(|position| position.not_before);
            let paused = paused.filter(|&at| at > Instant::now()).min();
            let wake = paused.map_or(deadline, |at| at.min(deadline));
            let changed = async {
                match &mut self.group {
                    Some(group) => group.changed().await,
                    None => std::future::pending().await,
                }
            };
            let joined = async {
                match &mut self.joining {
                    Some(joining) => joining.end().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(fetch) = self.fetches.join_next() => match fetch {
                    Ok(fetch) => {
                        let records = self.take(fetch).await?;
                        if !records.is_empty() {
                            return Ok(records);
                        }
                    }
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = changed => {}
                (group, joined) = joined => {
                    self.joining = None;
                    self.group = Some(group);
                    if let Some(partitions) = joined {
                        self.take_over(partitions?).await?;
                    }
                }
                () = sleep_until(wake) => {}
            }
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
        }
    }

    /// Commits what was handed out so far.
    ///
    /// # Errors
    /// [`Error::Refused`], also because the group goes on without this member; those of asking.
    pub async fn commit(&mut self) -> Result<(), Error> {
        let Some(group) = &self.group else {
            return Ok(());
        };
        let positions = self.positions();
        let moved: BTreeMap<_, _> = positions
            .into_iter()
            .filter(|(place, offset)| self.committed.get(place) != Some(offset))
            .collect();
        if !moved.is_empty() {
            group.commit(&moved).await?;
            self.committed.extend(moved);
        }
        Ok(())
    }

    /// Commits, where that is automatic, and leaves the group.
    ///
    /// # Errors
    /// Those of committing and asking.
    pub async fn close(mut self) -> Result<(), Error> {
        if let Some(joining) = self.joining.take() {
            self.group = Some(joining.give_up().await);
        }
        let automatic = self
            .group
            .as_ref()
            .is_some_and(|group| group.options.auto_commit.is_some());
        let committed = if automatic { self.commit().await } else { Ok(()) };
        if let Some(group) = &mut self.group {
            group.leave().await?;
        }
        committed
    }

    /// Commits, and begins to join, when it is time for that.
    async fn take_part(&mut self) -> Result<(), Error> {
        let Some(group) = &self.group else {
            return Ok(());
        };
        let must_join = group.must_join();
        if let Some(interval) = group.options.auto_commit
            && (must_join || Instant::now() >= self.commit_at)
        {
            self.commit_at = Instant::now() + interval;
            match self.commit().await {
                // The group goes on without this member; whoever has the partitions now reads these records again.
                Err(Error::Refused { .. }) if must_join => {}
                Err(Error::Refused {
                    code: ErrorCode::REBALANCE_IN_PROGRESS,
                    ..
                }) => {}
                result => result?,
            }
        }
        if must_join && let Some(group) = self.group.take() {
            // What it has read so far belongs to others from now on.
            self.assign([]);
            self.joining = Some(Joining::begin(group));
        }
        Ok(())
    }

    /// Reads what the group gave to this member, from where the group has committed.
    async fn take_over(&mut self, partitions: Partitions) -> Result<(), Error> {
        let Some(group) = &self.group else {
            return Ok(());
        };
        let name = group.options.group.clone();
        let committed = if partitions.is_empty() {
            BTreeMap::new()
        } else {
            Admin::new(self.cluster.clone()).committed(&name).await?
        };
        let start = self.options.start;
        let places = partitions.into_iter().flat_map(|(topic, partitions)| {
            partitions
                .into_iter()
                .map(move |partition| (topic.clone(), partition))
        });
        let places: Vec<_> = places
            .map(|place| match committed.get(&place) {
                Some(committed) => (place, Start::Offset(committed.offset)),
                None => (place, Start::Time(start)),
            })
            .collect();
        self.assign(places);
        self.committed = self.positions();
        Ok(())
    }

    /// Finds the offsets of positions that say only a time.
    async fn look_up(&mut self) -> Result<(), Error> {
        let wanted = self.positions.iter();
        let mut wanted: BTreeMap<_, _> = wanted
            .filter_map(|(place, position)| Some((place.clone(), position.next.err()?)))
            .collect();
        let admin = Admin::new(self.cluster.clone());
        while !wanted.is_empty() {
            let found = admin.offsets(&wanted).await?;
            for (place, found) in found {
                match (found.offset, self.positions.get_mut(&place)) {
                    (Some(offset), Some(position)) => {
                        position.next = Ok(offset);
                        wanted.remove(&place);
                    }
                    // No record is so late.
                    (None, Some(_)) if wanted.get(&place) != Some(&TimeSpec::Latest) => {
                        wanted.insert(place, TimeSpec::Latest);
                    }
                    _ => drop(wanted.remove(&place)),
                }
            }
        }
        Ok(())
    }

    /// Sends a Fetch to every leader that none is on its way to.
    async fn fetch(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let due: Vec<(Place, i64)> = self
            .positions
            .iter()
            .filter(|(_, position)| !position.fetching && position.not_before <= now)
            .filter_map(|(place, position)| Some((place.clone(), position.next.ok()?)))
            .collect();
        let mut by_leader: BTreeMap<i32, BTreeMap<Place, i64>> = BTreeMap::new();
        for (place, offset) in due {
            let leader = match self.cluster.leader(&place.0, place.1).await {
                Ok(leader) => leader,
                Err(error) if error.retriable() || matches!(error, Error::Unreachable { .. }) => {
                    self.pause(&place);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !self.busy.contains(&leader) {
                by_leader.entry(leader).or_default().insert(place, offset);
            }
        }
        for (broker, asked) in by_leader {
            for place in asked.keys() {
                self.positions
                    .entry(place.clone())
                    .and_modify(|position| position.fetching = true);
            }
            self.busy.insert(broker);
            let (cluster, request, assignment) =
                (self.cluster.clone(), self.request(&asked), self.assignment);
            self.fetches.spawn(async move {
                let result = cluster.ask(broker, &request).await;
                Fetch {
                    broker,
                    assignment,
                    asked,
                    result,
                }
            });
        }
        Ok(())
    }

    fn request(&self, asked: &BTreeMap<Place, i64>) -> FetchRequest {
        let mut topics: BTreeMap<&Str, Vec<FetchPartition>> = BTreeMap::new();
        for ((topic, partition), &fetch_offset) in asked {
            topics.entry(topic).or_default().push(FetchPartition {
                partition: *partition,
                fetch_offset,
                partition_max_bytes: self.options.partition_max_bytes,
                ..Default::default()
            });
        }
        let topics = topics.into_iter().map(|(topic, partitions)| FetchTopic {
            topic: topic.clone(),
            partitions,
            ..Default::default()
        });
        FetchRequest {
            max_wait_ms: i32::try_from(self.options.max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: 1,
            max_bytes: self.options.max_bytes,
            isolation_level: i8::from(self.options.read_committed),
            topics: topics.collect(),
            ..Default::default()
        }
    }

    /// Takes what a Fetch brought. Partitions that were given up meanwhile are left out.
    async fn take(&mut self, fetch: Fetch) -> Result<Vec<ConsumedRecord>, Error> {
        self.busy.remove(&fetch.broker);
        if fetch.assignment != self.assignment {
            return Ok(Vec::new());
        }
        for place in fetch.asked.keys() {
            self.positions
                .entry(place.clone())
                .and_modify(|position| position.fetching = false);
        }
        let answer = match fetch.result {
            Ok(answer) => answer,
            Err(error) if error.retriable() => {
                fetch.asked.keys().for_each(|place| self.pause(place));
                self.ask_who_leads(fetch.asked.into_keys()).await;
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        Error::check(|| "reading".to_owned(), answer.error_code, None)?;
        let mut records = Vec::new();
        let mut moved = Vec::new();
        for topic in answer.responses {
            for data in topic.partitions {
                let place = (topic.topic.detached(), data.partition_index);
                let (Some(position), Some(&asked)) =
                    (self.positions.get_mut(&place), fetch.asked.get(&place))
                else {
                    continue;
                };
                // Somebody sought elsewhere meanwhile.
                if position.next != Ok(asked) {
                    continue;
                }
                let what = || format!("reading {}-{}", place.0, place.1);
                match Error::check(what, data.error_code, None) {
                    Ok(()) => {}
                    Err(_) if data.error_code == ErrorCode::OFFSET_OUT_OF_RANGE => {
                        position.next = Err(self.options.start);
                        continue;
                    }
                    Err(error) if error.retriable() => {
                        position.not_before = Instant::now() + BACKOFF;
                        moved.push(place);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
                let aborted = data
                    .aborted_transactions
                    .filter(|_| self.options.read_committed)
                    .unwrap_or_default();
                let read = fetched::read(
                    &place.0,
                    place.1,
                    asked,
                    &data.records.unwrap_or_default(),
                    &aborted,
                );
                let read = read.map_err(|reason| Error::Records {
                    topic: place.0.clone(),
                    partition: place.1,
                    offset: asked,
                    reason,
                })?;
                position.next = Ok(read.next_offset.unwrap_or(asked));
                position.high_watermark = if self.options.read_committed {
                    data.last_stable_offset
                } else {
                    data.high_watermark
                };
                records.extend(read.records);
            }
        }
        self.ask_who_leads(moved).await;
        Ok(records)
    }

    fn pause(&mut self, place: &Place) {
        if let Some(position) = self.positions.get_mut(place) {
            position.not_before = Instant::now() + BACKOFF;
        }
    }

    /// If nobody answers, the next Fetch fails as this one did.
    async fn ask_who_leads(&self, places: impl IntoIterator<Item = Place>) {
        let topics: BTreeSet<Str> = places.into_iter().map(|(topic, _)| topic).collect();
        if !topics.is_empty() {
            let topics: Vec<Str> = topics.into_iter().collect();
            let _ = self.cluster.refresh(Some(&topics), false).await;
        }
    }
}
