//! What decides on a connection: which version is spoken, and which answer belongs to which request.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use klamm_protocol::messages::api_versions::ApiVersionsRequest;
use klamm_protocol::{Decoder, ErrorCode, Message, Str, Versions, frame};

use super::ConnectionError;
use crate::Call;

/// The versions that a broker says it serves, by API key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Served(pub BTreeMap<i16, Versions>);

impl Served {
    /// The highest version that both sides speak.
    ///
    /// # Errors
    /// [`ConnectionError::NotServed`] when there is none.
    pub fn choose<C: Call>(&self) -> Result<i16, ConnectionError> {
        let theirs = self.0.get(&C::KEY).copied().unwrap_or(Versions::NONE);
        let both = theirs.intersection(C::VERSIONS);
        if both.is_empty() {
            return Err(ConnectionError::NotServed {
                api: C::NAME,
                ours: C::VERSIONS,
                theirs,
            });
        }
        Ok(both.max)
    }
}

/// Where a request stands until it is answered. `T` says who waits.
#[derive(Debug)]
struct Waiting<T> {
    correlation_id: i32,
    who: T,
}

/// How the greeting goes on.
#[derive(Debug)]
pub enum Greeting {
    /// Send this and hand over its answer.
    Ask(Vec<Bytes>),
    /// Both sides know what to speak.
    Done,
}

/// The core of one connection. Requests may be sent before earlier ones are answered; a broker answers in order,
/// so whatever comes belongs to the request that waits longest (Kafka: `InFlightRequests`).
#[derive(Debug)]
pub struct Core<T> {
    client_id: Str,
    next_correlation_id: i32,
    waiting: VecDeque<Waiting<T>>,
    served: Served,
    greeting_version: i16,
}

impl<T> Core<T> {
    /// A connection on which nothing was said.
    pub fn new(client_id: Str) -> Core<T> {
        Core {
            client_id,
            next_correlation_id: 0,
            waiting: VecDeque::new(),
            served: Served::default(),
            greeting_version: ApiVersionsRequest::VERSIONS.max,
        }
    }

    /// The first request of every connection: which versions are served (KIP-35).
    ///
    /// # Errors
    /// [`ConnectionError::Encode`], which nothing can cause but a client id that is too long.
    pub fn greet(&mut self) -> Result<Vec<Bytes>, ConnectionError> {
        let body = ApiVersionsRequest {
            client_software_name: Str::from_static("klamm"),
            client_software_version: Str::from_static(env!("CARGO_PKG_VERSION")),
            ..Default::default()
        };
        let id = self.take_correlation_id();
        Ok(frame::encode_request(
            ApiVersionsRequest::KEY,
            self.greeting_version,
            id,
            Some(&self.client_id),
            &body,
        )?)
    }

    /// Takes the answer to the greeting, given without its length.
    ///
    /// An older broker answers UNSUPPORTED_VERSION in version 0, and says there which version it does serve: then the
    /// question is put again (KIP-511).
    ///
    /// # Errors
    /// When the answer cannot be read, or is a refusal.
    pub fn greeted(&mut self, answer: Bytes) -> Result<Greeting, ConnectionError> {
        // The error code comes first in every version, after the correlation id.
        let mut peek = Decoder::new(answer.clone());
        let expected = self.next_correlation_id.wrapping_sub(1);
        let got = peek.i32()?;
        if got != expected {
            return Err(ConnectionError::Correlation { expected, got });
        }
        let refused = ErrorCode(peek.i16()?) == ErrorCode::UNSUPPORTED_VERSION;
        let version = if refused { 0 } else { self.greeting_version };
        let answer = decode::<ApiVersionsRequest>(answer, version)?;
        let served = answer.api_keys.iter().map(|api| {
            let (min, max) = (api.min_version, api.max_version);
            (api.api_key, Versions { min, max })
        });
        self.served = Served(served.collect());
        if !refused {
            return match answer.error_code {
                ErrorCode::NONE => Ok(Greeting::Done),
                code => Err(ConnectionError::Greeting { code }),
            };
        }
        let next = self.served.choose::<ApiVersionsRequest>().unwrap_or(0);
        if next >= self.greeting_version {
            return Err(ConnectionError::Greeting {
                code: answer.error_code,
            });
        }
        self.greeting_version = next;
        Ok(Greeting::Ask(self.greet()?))
    }

    /// What the broker serves.
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// Encodes a request in the highest version that both sides speak, which is returned too, and remembers who waits.
    ///
    /// # Errors
    /// [`ConnectionError::NotServed`] and [`ConnectionError::Encode`]; then nobody waits.
    pub fn request<C: Call>(&mut self, body: &C, who: T) -> Result<(i16, Vec<Bytes>), ConnectionError> {
        let version = self.served.choose::<C>()?;
        let correlation_id = self.next_correlation_id;
        let bytes = frame::encode_request(C::KEY, version, correlation_id, Some(&self.client_id), body)?;
        self.take_correlation_id();
        self.waiting.push_back(Waiting { correlation_id, who });
        Ok((version, bytes))
    }

    /// Who waits for this answer, given without its length.
    ///
    /// # Errors
    /// [`ConnectionError::Correlation`] when nobody waits for it: the connection is of no use then.
    pub fn answered(&mut self, answer: &Bytes) -> Result<T, ConnectionError> {
        let got = Decoder::new(answer.clone()).i32()?;
        let waiting = self.waiting.pop_front().ok_or(ConnectionError::Unasked { got })?;
        let expected = waiting.correlation_id;
        if got != expected {
            return Err(ConnectionError::Correlation { expected, got });
        }
        Ok(waiting.who)
    }

    /// Everybody who still waits, for the end of the connection.
    pub fn abandon(&mut self) -> impl Iterator<Item = T> {
        std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|waiting| waiting.who)
    }

    fn take_correlation_id(&mut self) -> i32 {
        let id = self.next_correlation_id;
        self.next_correlation_id = if id == i32::MAX { 0 } else { id + 1 };
        id
    }
}

/// Reads an answer: its header, then its body, all of it.
///
/// # Errors
/// [`ConnectionError::Decode`].
pub fn decode<C: Call>(answer: Bytes, version: i16) -> Result<C::Answer, ConnectionError> {
    let mut input = Decoder::new(answer);
    frame::decode_response_header::<C::Answer>(&mut input, C::KEY, version)?;
    Ok(C::Answer::decode(&mut input, version)?)
}

/// What a broker would answer to the greeting.
#[cfg(test)]
pub(crate) fn greeting_answer(
    code: ErrorCode,
    version: i16,
    correlation_id: i32,
    apis: &[(i16, i16, i16)],
) -> Bytes {
    use klamm_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
    let api = |&(api_key, min_version, max_version): &(i16, i16, i16)| ApiVersion {
        api_key,
        min_version,
        max_version,
    };
    let body = ApiVersionsResponse {
        error_code: code,
        api_keys: apis.iter().map(api).collect(),
        ..Default::default()
    };
    let frame = frame::encode_response(18, version, correlation_id, &body)
        .unwrap()
        .concat();
    Bytes::from(frame).slice(4..)
}

#[cfg(test)]
mod tests {
    use klamm_protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
    use klamm_protocol::messages::metadata::MetadataRequest;

    use super::*;

    fn greeted(apis: &[(i16, i16, i16)]) -> Core<u32> {
        let mut core = Core::new("t".into());
        core.greet().unwrap();
        let answer = greeting_answer(ErrorCode::NONE, 4, 0, apis);
        assert!(matches!(core.greeted(answer), Ok(Greeting::Done)));
        core
    }

    #[test]
    fn the_highest_version_of_both_is_spoken_and_without_one_the_error_says_whose() {
        let served = |min, max| Served([(3, Versions { min, max })].into());
        assert_eq!(served(0, 13).choose::<MetadataRequest>().unwrap(), 12);
        assert_eq!(served(0, 7).choose::<MetadataRequest>().unwrap(), 7);
        for served in [served(0, 3), served(13, 15), Served::default()] {
            let error = served.choose::<MetadataRequest>().unwrap_err().to_string();
            assert!(error.contains("Metadata") && error.contains("4-12"), "{error}");
        }
    }

    #[test]
    fn a_broker_that_knows_only_older_greetings_is_asked_again_in_its_version() {
        let mut core: Core<()> = Core::new("t".into());
        core.greet().unwrap();
        let refusal = greeting_answer(ErrorCode::UNSUPPORTED_VERSION, 0, 0, &[(18, 0, 2)]);
        let Ok(Greeting::Ask(frame)) = core.greeted(refusal) else {
            panic!("it asks again")
        };
        assert_eq!(frame.concat()[4..8], [0, 18, 0, 2]);
        let answer = greeting_answer(ErrorCode::NONE, 2, 1, &[(3, 0, 8)]);
        assert!(matches!(core.greeted(answer), Ok(Greeting::Done)));
        assert_eq!(core.served().choose::<MetadataRequest>().unwrap(), 8);
    }

    #[test]
    fn a_broker_that_refuses_every_greeting_is_not_asked_for_ever() {
        let mut core: Core<()> = Core::new("t".into());
        core.greet().unwrap();
        let refusal = greeting_answer(ErrorCode::UNSUPPORTED_VERSION, 0, 0, &[]);
        assert!(matches!(core.greeted(refusal), Ok(Greeting::Ask(_))));
        let refusal = greeting_answer(ErrorCode::UNSUPPORTED_VERSION, 0, 1, &[]);
        assert!(matches!(
            core.greeted(refusal),
            Err(ConnectionError::Greeting { .. })
        ));
    }

    #[test]
    fn answers_find_who_asked_and_a_wrong_correlation_id_is_an_error() {
        let mut core = greeted(&[(16, 0, 5)]);
        let answer = |id| {
            let frame = frame::encode_response(16, 5, id, &ListGroupsResponse::default()).unwrap();
            Bytes::from(frame.concat()).slice(4..)
        };
        for who in [7, 8, 9] {
            let (version, _) = core.request(&ListGroupsRequest::default(), who).unwrap();
            assert_eq!(version, 5);
        }
        assert_eq!(core.answered(&answer(1)).unwrap(), 7);
        assert_eq!(core.answered(&answer(2)).unwrap(), 8);
        assert!(matches!(
            core.answered(&answer(9)),
            Err(ConnectionError::Correlation { expected: 3, got: 9 })
        ));
        assert!(matches!(
            core.answered(&answer(4)),
            Err(ConnectionError::Unasked { got: 4 })
        ));
    }

    #[test]
    fn who_waits_at_the_end_is_told() {
        let mut core = greeted(&[(16, 0, 5)]);
        for who in [1, 2] {
            core.request(&ListGroupsRequest::default(), who).unwrap();
        }
        assert_eq!(core.abandon().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(core.abandon().count(), 0);
    }
}
