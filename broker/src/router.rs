//! THE TABLE: which APIs are served, in which versions, and by which types. ApiVersions answers from it and
//! nothing else does.
//!
//! [`decode`] and [`encode`] are pure and run in the connection's task, so that bytes are parsed and checked in
//! parallel; what comes out goes to the one [`crate::Node`]. An API that is not in the table is not advertised,
//! and whoever sends it is told so by a closed connection, as Kafka does.

use bytes::Bytes;
use klamm_protocol::frame::{self, RequestHeader};
use klamm_protocol::{DecodeError, Decoder, EncodeError, Message, Str, messages::*};

use crate::api::produce::ProduceCall;

/// One row: an API and the range of its versions that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Kafka's number for the API.
    pub key: i16,
    /// Kafka's name for it.
    pub name: &'static str,
    /// The lowest version that is served.
    pub min: i16,
    /// The highest version that is served.
    pub max: i16,
}

macro_rules! served {
    ($($key:literal $name:ident $min:literal..=$max:literal $request:ty => $response:ty,)*) => {
        /// A decoded request of a served API.
        #[derive(Clone, Debug)]
        pub enum Request {
            $(#[doc = concat!("A ", stringify!($name), " request.")] $name($request),)*
            /// ApiVersions in a version that nobody here knows: answered in version 0 with the versions that are
            /// known (KIP-511).
            UnsupportedApiVersions,
        }

        /// An answer of a served API.
        #[derive(Clone, Debug)]
        pub enum Response {
            $(#[doc = concat!("A ", stringify!($name), " response.")] $name($response),)*
        }

        $(impl From<$response> for Response {
            fn from(response: $response) -> Self {
                Response::$name(response)
            }
        })*

        /// Every served API, by key.
        pub const SERVED: &[Served] = &[
            $(Served { key: $key, name: stringify!($name), min: $min, max: $max },)*
        ];

        /// `None`: there is no such row.
        fn decode_body(key: i16, version: i16, input: &mut Decoder) -> Option<Result<Request, DecodeError>> {
            match key {
                $($key => Some(<$request>::decode(input, version).map(Request::$name)),)*
                _ => None,
            }
        }

        impl Response {
            fn encode(&self, version: i16, correlation_id: i32) -> Result<Vec<Bytes>, EncodeError> {
                match self {
                    $(Response::$name(body) => frame::encode_response($key, version, correlation_id, body),)*
                }
            }
        }
    };
}

served! {
    0 Produce 0..=13 ProduceCall => produce::ProduceResponse,
    1 Fetch 0..=18 fetch::FetchRequest => fetch::FetchResponse,
    2 ListOffsets 0..=11 list_offsets::ListOffsetsRequest => list_offsets::ListOffsetsResponse,
    3 Metadata 0..=13 metadata::MetadataRequest => metadata::MetadataResponse,
    8 OffsetCommit 0..=10 offset_commit::OffsetCommitRequest => offset_commit::OffsetCommitResponse,
    9 OffsetFetch 0..=10 offset_fetch::OffsetFetchRequest => offset_fetch::OffsetFetchResponse,
    10 FindCoordinator 0..=6 find_coordinator::FindCoordinatorRequest => find_coordinator::FindCoordinatorResponse,
    11 JoinGroup 0..=9 join_group::JoinGroupRequest => join_group::JoinGroupResponse,
    12 Heartbeat 0..=4 heartbeat::HeartbeatRequest => heartbeat::HeartbeatResponse,
    13 LeaveGroup 0..=5 leave_group::LeaveGroupRequest => leave_group::LeaveGroupResponse,
    14 SyncGroup 0..=5 sync_group::SyncGroupRequest => sync_group::SyncGroupResponse,
    15 DescribeGroups 0..=6 describe_groups::DescribeGroupsRequest => describe_groups::DescribeGroupsResponse,
    16 ListGroups 0..=5 list_groups::ListGroupsRequest => list_groups::ListGroupsResponse,
    17 SaslHandshake 0..=1 sasl_handshake::SaslHandshakeRequest => sasl_handshake::SaslHandshakeResponse,
    18 ApiVersions 0..=5 api_versions::ApiVersionsRequest => api_versions::ApiVersionsResponse,
    19 CreateTopics 0..=7 create_topics::CreateTopicsRequest => create_topics::CreateTopicsResponse,
    20 DeleteTopics 0..=6 delete_topics::DeleteTopicsRequest => delete_topics::DeleteTopicsResponse,
    21 DeleteRecords 0..=2 delete_records::DeleteRecordsRequest => delete_records::DeleteRecordsResponse,
    22 InitProducerId 0..=5 init_producer_id::InitProducerIdRequest => init_producer_id::InitProducerIdResponse,
    23 OffsetForLeaderEpoch 0..=4 offset_for_leader_epoch::OffsetForLeaderEpochRequest => offset_for_leader_epoch::OffsetForLeaderEpochResponse,
    24 AddPartitionsToTxn 0..=5 add_partitions_to_txn::AddPartitionsToTxnRequest => add_partitions_to_txn::AddPartitionsToTxnResponse,
    25 AddOffsetsToTxn 0..=4 add_offsets_to_txn::AddOffsetsToTxnRequest => add_offsets_to_txn::AddOffsetsToTxnResponse,
    26 EndTxn 0..=5 end_txn::EndTxnRequest => end_txn::EndTxnResponse,
    27 WriteTxnMarkers 0..=2 write_txn_markers::WriteTxnMarkersRequest => write_txn_markers::WriteTxnMarkersResponse,
    28 TxnOffsetCommit 0..=6 txn_offset_commit::TxnOffsetCommitRequest => txn_offset_commit::TxnOffsetCommitResponse,
    29 DescribeAcls 0..=3 describe_acls::DescribeAclsRequest => describe_acls::DescribeAclsResponse,
    30 CreateAcls 0..=3 create_acls::CreateAclsRequest => create_acls::CreateAclsResponse,
    31 DeleteAcls 0..=3 delete_acls::DeleteAclsRequest => delete_acls::DeleteAclsResponse,
    32 DescribeConfigs 0..=4 describe_configs::DescribeConfigsRequest => describe_configs::DescribeConfigsResponse,
    33 AlterConfigs 0..=2 alter_configs::AlterConfigsRequest => alter_configs::AlterConfigsResponse,
    34 AlterReplicaLogDirs 0..=2 alter_replica_log_dirs::AlterReplicaLogDirsRequest => alter_replica_log_dirs::AlterReplicaLogDirsResponse,
    35 DescribeLogDirs 0..=5 describe_log_dirs::DescribeLogDirsRequest => describe_log_dirs::DescribeLogDirsResponse,
    36 SaslAuthenticate 0..=2 sasl_authenticate::SaslAuthenticateRequest => sasl_authenticate::SaslAuthenticateResponse,
    37 CreatePartitions 0..=3 create_partitions::CreatePartitionsRequest => create_partitions::CreatePartitionsResponse,
    42 DeleteGroups 0..=3 delete_groups::DeleteGroupsRequest => delete_groups::DeleteGroupsResponse,
    43 ElectLeaders 0..=2 elect_leaders::ElectLeadersRequest => elect_leaders::ElectLeadersResponse,
    44 IncrementalAlterConfigs 0..=1 incremental_alter_configs::IncrementalAlterConfigsRequest => incremental_alter_configs::IncrementalAlterConfigsResponse,
    45 AlterPartitionReassignments 0..=1 alter_partition_reassignments::AlterPartitionReassignmentsRequest => alter_partition_reassignments::AlterPartitionReassignmentsResponse,
    46 ListPartitionReassignments 0..=0 list_partition_reassignments::ListPartitionReassignmentsRequest => list_partition_reassignments::ListPartitionReassignmentsResponse,
    47 OffsetDelete 0..=0 offset_delete::OffsetDeleteRequest => offset_delete::OffsetDeleteResponse,
    48 DescribeClientQuotas 0..=1 describe_client_quotas::DescribeClientQuotasRequest => describe_client_quotas::DescribeClientQuotasResponse,
    50 DescribeUserScramCredentials 0..=0 describe_user_scram_credentials::DescribeUserScramCredentialsRequest => describe_user_scram_credentials::DescribeUserScramCredentialsResponse,
    55 DescribeQuorum 0..=2 describe_quorum::DescribeQuorumRequest => describe_quorum::DescribeQuorumResponse,
    60 DescribeCluster 0..=2 describe_cluster::DescribeClusterRequest => describe_cluster::DescribeClusterResponse,
    61 DescribeProducers 0..=0 describe_producers::DescribeProducersRequest => describe_producers::DescribeProducersResponse,
    65 DescribeTransactions 0..=0 describe_transactions::DescribeTransactionsRequest => describe_transactions::DescribeTransactionsResponse,
    66 ListTransactions 0..=2 list_transactions::ListTransactionsRequest => list_transactions::ListTransactionsResponse,
    74 ListConfigResources 0..=1 list_config_resources::ListConfigResourcesRequest => list_config_resources::ListConfigResourcesResponse,
    75 DescribeTopicPartitions 0..=0 describe_topic_partitions::DescribeTopicPartitionsRequest => describe_topic_partitions::DescribeTopicPartitionsResponse,
}

/// The row of an API, if it is served at all.
pub fn served(key: i16) -> Option<&'static Served> {
    SERVED
        .binary_search_by_key(&key, |row| row.key)
        .ok()
        .map(|at| &SERVED[at])
}

/// A request on its way to the core.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// What stood before the body.
    pub header: RequestHeader,
    /// The body.
    pub request: Request,
}

impl Inbound {
    /// Whether this is a Produce, which alone may overtake the *handling* (never the answer) of another.
    pub fn is_produce(&self) -> bool {
        self.header.api_key == PRODUCE
    }
}

/// An answer on its way to the connection, with what it takes to encode it.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// The version that it is encoded in.
    pub version: i16,
    /// The client's own number for the request.
    pub correlation_id: i32,
    /// The body.
    pub response: Response,
}

/// Why a frame was not understood. Each closes the connection.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A key that this broker does not serve in this version, or at all.
    #[error("{}{}", not_served(*.key, *.version), of_client(.client_id))]
    Unsupported {
        /// The API.
        key: i16,
        /// The version asked for.
        version: i16,
        /// How the client calls itself.
        client_id: Option<Str>,
    },
    /// Bytes that are no request.
    #[error("undecodable request ({}{}): {error}", named(*.key, *.version), of_client(.client_id))]
    Undecodable {
        /// The API, -1 if not even that could be read.
        key: i16,
        /// The version, -1 if unknown.
        version: i16,
        /// How the client calls itself.
        client_id: Option<Str>,
        /// What was wrong.
        error: DecodeError,
    },
}

/// So much of a client id is told.
const TOLD_CLIENT_ID: usize = 100;

fn of_client(id: &Option<Str>) -> String {
    let told = |id: &Str| id.chars().take(TOLD_CLIENT_ID).collect::<String>();
    id.as_ref()
        .map(|id| format!(", client id {:?}", told(id)))
        .unwrap_or_default()
}

fn named(key: i16, version: i16) -> String {
    match api(key) {
        Some(api) => format!("{} version {version}, API key {key}", api.name),
        None => format!("unknown API key {key}, version {version}"),
    }
}

fn not_served(key: i16, version: i16) -> String {
    let named = named(key, version);
    match served(key) {
        Some(row) => format!("{named} is not served, versions {} to {} are", row.min, row.max),
        None => format!("{named} is not served"),
    }
}

const PRODUCE: i16 = 0;
const API_VERSIONS: i16 = 18;

/// Reads a frame (without its length).
///
/// # Errors
/// What is not a request of a row, in full and in its version, is refused.
pub fn decode(frame: Bytes) -> Result<Inbound, Refusal> {
    let (key, version) = match frame.as_ref() {
        [k0, k1, v0, v1, ..] => (i16::from_be_bytes([*k0, *k1]), i16::from_be_bytes([*v0, *v1])),
        _ => (-1, -1),
    };
    if let (Some(row), [_, _, _, _, c0, c1, c2, c3, ..]) = (served(API_VERSIONS), frame.as_ref())
        && key == API_VERSIONS
        && !(row.min..=row.max).contains(&version)
    {
        // What follows the correlation id is of a version that nobody here knows.
        let correlation_id = i32::from_be_bytes([*c0, *c1, *c2, *c3]);
        let header = RequestHeader {
            api_key: key,
            api_version: 0,
            correlation_id,
            client_id: None,
        };
        return Ok(Inbound {
            header,
            request: Request::UnsupportedApiVersions,
        });
    }
    let mut input = Decoder::new(frame);
    if !served(key).is_some_and(|row| (row.min..=row.max).contains(&version)) {
        // Headers of all versions but 0 begin as this one.
        let header = RequestHeader::decode_version(&mut input, 1);
        let client_id = header.ok().and_then(|header| header.client_id);
        return Err(Refusal::Unsupported {
            key,
            version,
            client_id,
        });
    }
    let header = RequestHeader::decode(&mut input).map_err(|error| Refusal::Undecodable {
        key,
        version,
        client_id: None,
        error,
    })?;
    match decode_body(key, version, &mut input) {
        Some(Ok(request)) => Ok(Inbound { header, request }),
        Some(Err(error)) => Err(Refusal::Undecodable {
            key,
            version,
            client_id: header.client_id,
            error,
        }),
        None => Err(Refusal::Unsupported {
            key,
            version,
            client_id: header.client_id,
        }),
    }
}

/// The bytes of an answer, length included.
///
/// # Errors
/// If a handler put a value into a field that the version does not have: a bug, after which the connection is
/// best closed.
pub fn encode(outbound: &Outbound) -> Result<Vec<Bytes>, EncodeError> {
    outbound
        .response
        .encode(outbound.version, outbound.correlation_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_by_key_and_each_range_is_one() {
        assert!(SERVED.windows(2).all(|pair| pair[0].key < pair[1].key));
        assert!(SERVED.iter().all(|row| row.min <= row.max));
    }

    #[test]
    fn an_unknown_version_of_api_versions_is_answered_and_of_nothing_else() {
        let frame = |key: i16, version: i16| {
            let mut frame = [key.to_be_bytes(), version.to_be_bytes()].concat();
            frame.extend(7i32.to_be_bytes());
            frame.extend(*b"whatever a later header holds");
            Bytes::from(frame)
        };
        for version in [99, -1] {
            let inbound = decode(frame(API_VERSIONS, version)).unwrap();
            assert_eq!(
                (inbound.header.api_version, inbound.header.correlation_id),
                (0, 7)
            );
            assert!(matches!(inbound.request, Request::UnsupportedApiVersions));
        }
        assert!(matches!(
            decode(frame(9999, 0)),
            Err(Refusal::Unsupported {
                key: 9999,
                version: 0,
                ..
            })
        ));
        assert!(matches!(
            decode(Bytes::from_static(b"\0")),
            Err(Refusal::Unsupported { key: -1, .. })
        ));
    }
    #[test]
    fn a_refusal_names_the_api_what_is_served_and_the_client() {
        let frame = |key: i16, version: i16, client_id: &str| {
            let mut frame = [key.to_be_bytes(), version.to_be_bytes()].concat();
            frame.extend(7i32.to_be_bytes());
            frame.extend(i16::try_from(client_id.len()).unwrap().to_be_bytes());
            frame.extend(client_id.bytes());
            decode(frame.into()).unwrap_err().to_string()
        };
        assert_eq!(
            frame(3, 99, "me"),
            "Metadata version 99, API key 3 is not served, versions 0 to 13 are, client id \"me\""
        );
        assert_eq!(
            frame(4, 0, "a\nb"),
            "LeaderAndIsr version 0, API key 4 is not served, client id \"a\\nb\""
        );
        assert_eq!(
            frame(9999, 3, "x"),
            "unknown API key 9999, version 3 is not served, client id \"x\""
        );
        let long = frame(4, 0, &"x".repeat(30_000));
        assert!(long.len() < 300, "a client does not fill the log: {}", long.len());
    }
}
