//! Incremental fetch sessions (KIP-227, Kafka: FetchSession.scala): the broker remembers what a client fetches,
//! so that a request names only what changed and an answer only what has news.
//!
//! The cache is bounded twice: in sessions and in partitions over all sessions. A client that gets no session
//! keeps sending full requests, which always works. A session that nobody used for two minutes gives way.

use std::collections::BTreeMap;

use klamm_protocol::{ErrorCode, Str, ids::TopicId};

/// A session that was not used for this long may be evicted for a new one
/// (Kafka: `min.incremental.fetch.session.eviction.ms`, its default).
const EVICTION_MS: u64 = 120_000;

/// How many partitions all sessions together may remember; some 150 bytes each.
const MAX_PARTITIONS: usize = 400_000;

/// A topic as a client names it: by name up to version 12, by id from version 13 on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TopicRef {
    Name(Str),
    Id(TopicId),
}

/// What a client wants of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub topic: TopicRef,
    pub partition: i32,
    pub offset: i64,
    pub max_bytes: i32,
    /// The leader epoch that the client knows, -1 if it does not say.
    pub leader_epoch: i32,
    /// The epoch of the last record it has, -1 if it does not say.
    pub last_fetched_epoch: i32,
}

/// What an answer says about one partition, as far as a session compares it with the answer before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub error: ErrorCode,
    pub has_records: bool,
    pub diverges: bool,
    pub high_watermark: i64,
    pub log_start_offset: i64,
}

/// How the answer to a request relates to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// No session: the answer names every partition.
    Sessionless,
    /// A session was begun: the answer names every partition, and the session.
    Begun(i32),
    /// The answer names only what has news since the one before.
    Incremental {
        session: i32,
        /// The epoch that the session has when nobody else used it meanwhile.
        next_epoch: i32,
    },
}

struct Remembered {
    wanted: Wanted,
    high_watermark: i64,
    log_start_offset: i64,
    error: bool,
}

struct Session {
    /// The epoch of the next request.
    epoch: i32,
    last_used_ms: u64,
    by_ids: bool,
    /// In the order in which they are served; who was served with records goes to the end.
    order: BTreeMap<u64, Remembered>,
    places: BTreeMap<(TopicRef, i32), u64>,
    next_place: u64,
}

/// What a request says, apart from its session id and epoch.
pub(crate) struct Asked {
    pub wanted: Vec<Wanted>,
    pub forgotten: Vec<(TopicRef, i32)>,
    /// Topics are named by id (version 13 on).
    pub by_ids: bool,
}

/// All sessions of this broker.
pub(crate) struct FetchSessions {
    max_sessions: usize,
    sessions: BTreeMap<i32, Session>,
    partitions: usize,
}

impl FetchSessions {
    pub fn new(max_sessions: usize) -> Self {
        FetchSessions {
            max_sessions,
            sessions: BTreeMap::new(),
            partitions: 0,
        }
    }

    /// Finds out what a request with this session id and epoch wants, and in which context it is answered.
    /// `candidate` is a random number for the id of a session that is begun.
    ///
    /// # Errors
    /// FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH and FETCH_SESSION_TOPIC_ID_ERROR, upon each of
    /// which the client begins anew with a full request.
    pub fn open(
        &mut self,
        id: i32,
        epoch: i32,
        asked: Asked,
        candidate: u32,
        now_ms: u64,
    ) -> Result<(Context, Vec<Wanted>), ErrorCode> {
        match epoch {
            0 | -1 => {
                // A full request ends the session that it names, whether or not another begins.
                self.close(id);
                if epoch == -1 {
                    return Ok((Context::Sessionless, asked.wanted));
                }
                let context = self.begin(&asked, candidate, now_ms);
                Ok((context, asked.wanted))
            }
            _ => self.go_on(id, epoch, asked, now_ms),
        }
    }

    fn begin(&mut self, asked: &Asked, candidate: u32, now_ms: u64) -> Context {
        let count = asked.wanted.len();
        if count == 0 || !self.make_room(count, now_ms) {
            return Context::Sessionless;
        }
        // Ids count up from the random candidate until one is free; 0 means "no session" on the wire.
        let mut id = (candidate & 0x7fff_ffff).max(1) as i32;
        while self.sessions.contains_key(&id) {
            id = if id == i32::MAX { 1 } else { id + 1 };
        }
        let mut session = Session {
            epoch: 1,
            last_used_ms: now_ms,
            by_ids: asked.by_ids,
            order: BTreeMap::new(),
            places: BTreeMap::new(),
            next_place: 0,
        };
        for wanted in &asked.wanted {
            session.remember(wanted);
        }
        self.partitions += session.order.len();
        self.sessions.insert(id, session);
        Context::Begun(id)
    }

    fn go_on(
        &mut self,
        id: i32,
        epoch: i32,
        asked: Asked,
        now_ms: u64,
    ) -> Result<(Context, Vec<Wanted>), ErrorCode> {
        let session = self
            .sessions
            .get_mut(&id)
            .ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_ids != asked.by_ids {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        let before = session.order.len();
        for wanted in &asked.wanted {
            session.remember(wanted);
        }
        for forgotten in asked.forgotten {
            if let Some(place) = session.places.remove(&forgotten) {
                session.order.remove(&place);
            }
        }
        session.last_used_ms = now_ms;
        session.epoch = next_epoch(epoch);
        let wanted: Vec<Wanted> = session.order.values().map(|entry| entry.wanted.clone()).collect();
        let context = Context::Incremental {
            session: id,
            next_epoch: session.epoch,
        };
        self.partitions = self.partitions + wanted.len() - before;
        if wanted.is_empty() || self.partitions > MAX_PARTITIONS {
            self.close(id);
            return Ok((Context::Sessionless, wanted));
        }
        Ok((context, wanted))
    }

    /// Notes what an answer is about to say and decides which partitions it has to name.
    ///
    /// # Errors
    /// FETCH_SESSION_ID_NOT_FOUND or INVALID_FETCH_SESSION_EPOCH if the session was evicted or used by another
    /// request while this one waited.
    pub fn select(
        &mut self,
        context: Context,
        told: &[(TopicRef, i32, Told)],
    ) -> Result<Vec<bool>, ErrorCode> {
        match context {
            Context::Sessionless => Ok(vec![true; told.len()]),
            Context::Begun(id) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    for (topic, partition, news) in told {
                        session.tell(topic, *partition, *news);
                    }
                }
                Ok(vec![true; told.len()])
            }
            Context::Incremental {
                session: id,
                next_epoch,
            } => {
                let session = self
                    .sessions
                    .get_mut(&id)
                    .ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
                if session.epoch != next_epoch {
                    return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
                }
                Ok(told
                    .iter()
                    .map(|(topic, partition, news)| session.tell(topic, *partition, *news))
                    .collect())
            }
        }
    }

    fn make_room(&mut self, count: usize, now_ms: u64) -> bool {
        if self.max_sessions == 0 {
            return false;
        }
        while self.sessions.len() >= self.max_sessions || self.partitions + count > MAX_PARTITIONS {
            let oldest = self
                .sessions
                .iter()
                .min_by_key(|(_, session)| session.last_used_ms);
            match oldest.map(|(id, session)| (*id, session.last_used_ms)) {
                Some((id, used_ms)) if used_ms + EVICTION_MS <= now_ms => self.close(id),
                _ => return false,
            }
        }
        true
    }

    fn close(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.partitions -= session.order.len();
        }
    }
}

impl Session {
    fn remember(&mut self, wanted: &Wanted) {
        let key = (wanted.topic.clone(), wanted.partition);
        if let Some(place) = self.places.get(&key) {
            let entry = self.order.get_mut(place).expect("every place is taken");
            entry.wanted = Wanted {
                topic: entry.wanted.topic.clone(),
                ..wanted.clone()
            };
            return;
        }
        // What outlives its request must not hold the request's frame.
        let topic = match &wanted.topic {
            TopicRef::Name(name) => TopicRef::Name(name.detached()),
            TopicRef::Id(id) => TopicRef::Id(*id),
        };
        let place = self.next_place;
        self.next_place += 1;
        self.places.insert((topic.clone(), wanted.partition), place);
        let wanted = Wanted {
            topic,
            ..wanted.clone()
        };
        self.order.insert(
            place,
            Remembered {
                wanted,
                high_watermark: -1,
                log_start_offset: -1,
                error: false,
            },
        );
    }

    /// Whether there is news about a partition; remembers what is told, and lets the others go first next time.
    fn tell(&mut self, topic: &TopicRef, partition: i32, told: Told) -> bool {
        let key = (topic.clone(), partition);
        let Some(place) = self.places.get(&key).copied() else {
            return true;
        };
        let mut entry = self.order.remove(&place).expect("every place is taken");
        let failed = told.error != ErrorCode::NONE;
        let news = told.has_records
            || told.diverges
            || failed
            || entry.error
            || entry.high_watermark != told.high_watermark
            || entry.log_start_offset != told.log_start_offset;
        // An error is repeated until it is gone, and then once more is said that it is gone.
        entry.error = failed;
        entry.high_watermark = told.high_watermark;
        entry.log_start_offset = told.log_start_offset;
        let place = if told.has_records {
            let last = self.next_place;
            self.next_place += 1;
            self.places.insert(key, last);
            last
        } else {
            place
        };
        self.order.insert(place, entry);
        news
    }
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(topic: &'static str, offset: i64) -> Wanted {
        Wanted {
            topic: TopicRef::Name(topic.into()),
            partition: 0,
            offset,
            max_bytes: 1,
            leader_epoch: -1,
            last_fetched_epoch: -1,
        }
    }

    fn ask(wanted: Vec<Wanted>) -> Asked {
        Asked {
            wanted,
            forgotten: Vec::new(),
            by_ids: false,
        }
    }

    fn told(topic: &'static str, high_watermark: i64, has_records: bool) -> (TopicRef, i32, Told) {
        let told = Told {
            error: ErrorCode::NONE,
            has_records,
            diverges: false,
            high_watermark,
            log_start_offset: 0,
        };
        (TopicRef::Name(topic.into()), 0, told)
    }

    fn begun(sessions: &mut FetchSessions, topics: &[&'static str]) -> i32 {
        let wanted = topics.iter().map(|topic| want(topic, 0)).collect();
        match sessions.open(0, 0, ask(wanted), 42, 0) {
            Ok((Context::Begun(id), _)) => id,
            other => panic!("no session was begun: {other:?}"),
        }
    }

    #[test]
    fn an_incremental_request_names_what_changed_and_fetches_everything() {
        let mut sessions = FetchSessions::new(10);
        let id = begun(&mut sessions, &["a", "b"]);
        let (context, wanted) = sessions.open(id, 1, ask(vec![want("b", 7)]), 0, 1).unwrap();
        assert_eq!(
            context,
            Context::Incremental {
                session: id,
                next_epoch: 2
            }
        );
        assert_eq!(wanted, [want("a", 0), want("b", 7)]);
    }

    #[test]
    fn an_incremental_answer_names_only_partitions_with_news() {
        let mut sessions = FetchSessions::new(10);
        let id = begun(&mut sessions, &["a", "b"]);
        let first = [told("a", 5, false), told("b", 5, false)];
        assert_eq!(sessions.select(Context::Begun(id), &first), Ok(vec![true, true]));
        let (context, _) = sessions.open(id, 1, ask(vec![]), 0, 1).unwrap();
        assert_eq!(sessions.select(context, &first), Ok(vec![false, false]));
        let (context, _) = sessions.open(id, 2, ask(vec![]), 0, 1).unwrap();
        let second = [told("a", 5, false), told("b", 6, false)];
        assert_eq!(sessions.select(context, &second), Ok(vec![false, true]));
    }

    #[test]
    fn a_partition_that_was_served_lets_the_others_go_first() {
        let mut sessions = FetchSessions::new(10);
        let id = begun(&mut sessions, &["a", "b"]);
        let answer = [told("a", 5, true), told("b", 5, false)];
        sessions.select(Context::Begun(id), &answer).unwrap();
        let (_, wanted) = sessions.open(id, 1, ask(vec![]), 0, 1).unwrap();
        assert_eq!(wanted, [want("b", 0), want("a", 0)]);
    }

    #[test]
    fn epochs_are_used_once_and_wrong_ones_are_refused() {
        let mut sessions = FetchSessions::new(10);
        let id = begun(&mut sessions, &["a"]);
        let refused = |result: Result<(Context, Vec<Wanted>), ErrorCode>| result.unwrap_err();
        assert_eq!(
            refused(sessions.open(id, 2, ask(vec![]), 0, 0)),
            ErrorCode::INVALID_FETCH_SESSION_EPOCH
        );
        assert!(sessions.open(id, 1, ask(vec![]), 0, 0).is_ok());
        assert_eq!(
            refused(sessions.open(id, 1, ask(vec![]), 0, 0)),
            ErrorCode::INVALID_FETCH_SESSION_EPOCH
        );
        assert_eq!(
            refused(sessions.open(id + 1, 1, ask(vec![]), 0, 0)),
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND
        );
        let by_ids = Asked {
            by_ids: true,
            ..ask(vec![])
        };
        assert_eq!(
            refused(sessions.open(id, 2, by_ids, 0, 0)),
            ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
        );
    }

    #[test]
    fn a_final_epoch_ends_the_session_and_an_empty_session_ends_itself() {
        let mut sessions = FetchSessions::new(10);
        let id = begun(&mut sessions, &["a"]);
        let (context, wanted) = sessions.open(id, -1, ask(vec![want("b", 3)]), 0, 0).unwrap();
        assert_eq!((context, wanted), (Context::Sessionless, vec![want("b", 3)]));
        assert!(sessions.sessions.is_empty());
        let id = begun(&mut sessions, &["a"]);
        let forget = Asked {
            forgotten: vec![(TopicRef::Name("a".into()), 0)],
            ..ask(vec![])
        };
        assert_eq!(
            sessions.open(id, 1, forget, 0, 0),
            Ok((Context::Sessionless, vec![]))
        );
        assert!(sessions.sessions.is_empty() && sessions.partitions == 0);
    }

    #[test]
    fn a_full_cache_gives_no_session_until_one_was_unused_for_two_minutes() {
        let mut sessions = FetchSessions::new(1);
        let first = begun(&mut sessions, &["a"]);
        let (context, _) = sessions
            .open(0, 0, ask(vec![want("b", 0)]), 7, EVICTION_MS - 1)
            .unwrap();
        assert_eq!(context, Context::Sessionless);
        let (context, _) = sessions
            .open(0, 0, ask(vec![want("b", 0)]), 7, EVICTION_MS)
            .unwrap();
        assert_eq!(context, Context::Begun(7));
        assert_eq!(
            sessions.open(first, 1, ask(vec![]), 0, EVICTION_MS),
            Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)
        );
    }
}
