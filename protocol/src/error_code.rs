//! [`ErrorCode`]: what can go wrong, as clients are told.

use std::fmt;

/// An error code as it stands in answers. Codes that nobody knows travel through unharmed.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

/// A row of the table.
struct Row {
    code: i16,
    name: &'static str,
    retriable: bool,
    meaning: &'static str,
}

impl ErrorCode {
    /// Whether this is [`ErrorCode::NONE`].
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Kafka's name, such as `NOT_LEADER_OR_FOLLOWER`; `UNKNOWN` for a code that is not in the table.
    pub fn name(self) -> &'static str {
        self.row().map_or("UNKNOWN", |row| row.name)
    }

    /// Whether the same request may succeed later; clients repeat it by themselves.
    pub fn retriable(self) -> bool {
        self.row().is_some_and(|row| row.retriable)
    }

    /// One sentence for people.
    pub fn meaning(self) -> &'static str {
        self.row()
            .map_or("No known error has this code.", |row| row.meaning)
    }

    /// Every code of Kafka 4.4, ascending.
    pub fn all() -> impl Iterator<Item = ErrorCode> {
        TABLE.iter().map(|row| ErrorCode(row.code))
    }

    fn row(self) -> Option<&'static Row> {
        // Codes are without gaps from -1 on.
        TABLE.get(usize::try_from(i32::from(self.0) + 1).ok()?)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! error_codes {
    ($($code:literal $name:ident $($retriable:ident)?: $meaning:literal;)*) => {
        impl ErrorCode {
            $(#[doc = $meaning] pub const $name: ErrorCode = ErrorCode($code);)*
        }

        const TABLE: &[Row] = &[$(Row {
            code: $code,
            name: stringify!($name),
            retriable: error_codes!(@retriable $($retriable)?),
            meaning: $meaning,
        }),*];
    };
    (@retriable retriable) => { true };
    (@retriable) => { false };
}

error_codes! {
    -1 UNKNOWN_SERVER_ERROR: "The server failed in a way that no other code describes.";
    0 NONE: "No error.";
    1 OFFSET_OUT_OF_RANGE: "The offset lies before the log's start or beyond its end.";
    2 CORRUPT_MESSAGE retriable: "Records with a wrong checksum or size, or without a key on a compacted topic.";
    3 UNKNOWN_TOPIC_OR_PARTITION retriable: "The topic or partition does not exist, or this broker has no replica of it.";
    4 INVALID_FETCH_SIZE: "The number of bytes to fetch makes no sense.";
    5 LEADER_NOT_AVAILABLE retriable: "The partition has no leader at the moment.";
    6 NOT_LEADER_OR_FOLLOWER retriable: "This broker is not the replica that the request is for; metadata is out of date.";
    7 REQUEST_TIMED_OUT retriable: "What was asked did not happen in the time allowed.";
    8 BROKER_NOT_AVAILABLE: "The broker is not there.";
    9 REPLICA_NOT_AVAILABLE retriable: "The replica is not on this broker, or not ready yet.";
    10 MESSAGE_TOO_LARGE: "A record batch is larger than `max.message.bytes` allows.";
    11 STALE_CONTROLLER_EPOCH: "The request comes from a controller that has been replaced.";
    12 OFFSET_METADATA_TOO_LARGE: "The text beside a committed offset is longer than `offset.metadata.max.bytes`.";
    13 NETWORK_EXCEPTION retriable: "The connection ended before the answer came. Made up by clients, not sent.";
    14 COORDINATOR_LOAD_IN_PROGRESS retriable: "The coordinator is still reading its log.";
    15 COORDINATOR_NOT_AVAILABLE retriable: "There is no coordinator for the key at the moment.";
    16 NOT_COORDINATOR retriable: "This broker does not coordinate the key; find the coordinator again.";
    17 INVALID_TOPIC_EXCEPTION: "The topic's name is not allowed, or the operation is not allowed on that topic.";
    18 RECORD_LIST_TOO_LARGE: "A record batch is larger than a segment may be.";
    19 NOT_ENOUGH_REPLICAS retriable: "Fewer replicas are in sync than `min.insync.replicas`; nothing was written.";
    20 NOT_ENOUGH_REPLICAS_AFTER_APPEND retriable: "Written, but to fewer replicas in sync than `min.insync.replicas`.";
    21 INVALID_REQUIRED_ACKS: "`acks` is neither -1, 0 nor 1.";
    22 ILLEGAL_GENERATION: "The member names a generation of the group that is not the current one.";
    23 INCONSISTENT_GROUP_PROTOCOL: "The member has no protocol in common with its group, or offers none.";
    24 INVALID_GROUP_ID: "The group id is not allowed here.";
    25 UNKNOWN_MEMBER_ID: "The group has no such member.";
    26 INVALID_SESSION_TIMEOUT: "The session timeout lies outside of what the broker allows.";
    27 REBALANCE_IN_PROGRESS: "The group is rebalancing; the member has to join again.";
    28 INVALID_COMMIT_OFFSET_SIZE: "A committed offset is too large to be stored.";
    29 TOPIC_AUTHORIZATION_FAILED: "The principal may not do this with the topic.";
    30 GROUP_AUTHORIZATION_FAILED: "The principal may not do this with the group.";
    31 CLUSTER_AUTHORIZATION_FAILED: "The principal may not do this with the cluster.";
    32 INVALID_TIMESTAMP: "A record's timestamp is too far from the broker's time.";
    33 UNSUPPORTED_SASL_MECHANISM: "The broker does not offer the SASL mechanism.";
    34 ILLEGAL_SASL_STATE: "The request does not belong at this point of the authentication.";
    35 UNSUPPORTED_VERSION: "The broker does not serve this version of the API.";
    36 TOPIC_ALREADY_EXISTS: "A topic of that name exists.";
    37 INVALID_PARTITIONS: "The number of partitions is below 1, or not above the present one.";
    38 INVALID_REPLICATION_FACTOR: "The replication factor is below 1 or above the number of brokers.";
    39 INVALID_REPLICA_ASSIGNMENT: "Replicas are assigned in a way that is not possible.";
    40 INVALID_CONFIG: "A configuration has a value that is not allowed.";
    41 NOT_CONTROLLER retriable: "This node is not the active controller.";
    42 INVALID_REQUEST: "The request contradicts itself or lacks something.";
    43 UNSUPPORTED_FOR_MESSAGE_FORMAT: "The format of the stored records cannot serve the request.";
    44 POLICY_VIOLATION: "A policy of the cluster forbids it.";
    45 OUT_OF_ORDER_SEQUENCE_NUMBER: "A producer's sequence number does not follow the last one; something is missing.";
    46 DUPLICATE_SEQUENCE_NUMBER: "A producer's sequence number was seen before.";
    47 INVALID_PRODUCER_EPOCH: "A newer producer with the same id has taken over.";
    48 INVALID_TXN_STATE: "The transaction is not in a state that allows this.";
    49 INVALID_PRODUCER_ID_MAPPING: "The producer id does not belong to the transactional id.";
    50 INVALID_TRANSACTION_TIMEOUT: "The transaction timeout is above `transaction.max.timeout.ms`.";
    51 CONCURRENT_TRANSACTIONS retriable: "The transaction before is still being finished.";
    52 TRANSACTION_COORDINATOR_FENCED: "A transaction marker comes from a coordinator that has been replaced.";
    53 TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "The principal may not use the transactional id.";
    54 SECURITY_DISABLED: "The broker has no authorizer.";
    55 OPERATION_NOT_ATTEMPTED: "Not tried, since another part of the same request failed.";
    56 KAFKA_STORAGE_ERROR retriable: "The disk with the partition's log failed.";
    57 LOG_DIR_NOT_FOUND: "The broker has no such log directory.";
    58 SASL_AUTHENTICATION_FAILED: "The credentials are not accepted.";
    59 UNKNOWN_PRODUCER_ID: "The partition knows nothing of the producer; its records may have expired.";
    60 REASSIGNMENT_IN_PROGRESS: "The partition's replicas are being reassigned.";
    61 DELEGATION_TOKEN_AUTH_DISABLED: "The broker does not issue delegation tokens.";
    62 DELEGATION_TOKEN_NOT_FOUND: "There is no such delegation token.";
    63 DELEGATION_TOKEN_OWNER_MISMATCH: "The principal neither owns the token nor may renew it.";
    64 DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: "Delegation tokens need an authenticated connection, and not by a token.";
    65 DELEGATION_TOKEN_AUTHORIZATION_FAILED: "The principal may not do this with the delegation token.";
    66 DELEGATION_TOKEN_EXPIRED: "The delegation token has expired.";
    67 INVALID_PRINCIPAL_TYPE: "Principals of this type are not supported.";
    68 NON_EMPTY_GROUP: "The group still has members.";
    69 GROUP_ID_NOT_FOUND: "There is no such group.";
    70 FETCH_SESSION_ID_NOT_FOUND retriable: "The broker has no such fetch session; begin a new one.";
    71 INVALID_FETCH_SESSION_EPOCH retriable: "The fetch session is not at that epoch; begin a new one.";
    72 LISTENER_NOT_FOUND retriable: "The leader has no listener of the name that the request came in by.";
    73 TOPIC_DELETION_DISABLED: "The cluster does not delete topics.";
    74 FENCED_LEADER_EPOCH retriable: "The leader epoch in the request is older than the broker's.";
    75 UNKNOWN_LEADER_EPOCH retriable: "The leader epoch in the request is newer than the broker's.";
    76 UNSUPPORTED_COMPRESSION_TYPE: "The client's version of the API knows nothing of the records' compression.";
    77 STALE_BROKER_EPOCH: "The broker has registered anew since.";
    78 OFFSET_NOT_AVAILABLE retriable: "A leader just elected does not know its high watermark yet.";
    79 MEMBER_ID_REQUIRED: "Join again with the member id that the answer assigns.";
    80 PREFERRED_LEADER_NOT_AVAILABLE retriable: "The preferred replica cannot lead at the moment.";
    81 GROUP_MAX_SIZE_REACHED: "The group has as many members as it may.";
    82 FENCED_INSTANCE_ID: "Another member has taken over the group instance id.";
    83 ELIGIBLE_LEADERS_NOT_AVAILABLE retriable: "No replica that may lead the partition is available.";
    84 ELECTION_NOT_NEEDED retriable: "The partition is led as it should be.";
    85 NO_REASSIGNMENT_IN_PROGRESS: "The partition's replicas are not being reassigned.";
    86 GROUP_SUBSCRIBED_TO_TOPIC: "The group reads the topic, so its offsets cannot be deleted.";
    87 INVALID_RECORD: "A record breaks a rule of the broker.";
    88 UNSTABLE_OFFSET_COMMIT retriable: "A transaction that is still open has committed offsets of the partition.";
    89 THROTTLING_QUOTA_EXCEEDED retriable: "The client has used up its quota; try again later.";
    90 PRODUCER_FENCED: "A newer producer with the same transactional id has taken over.";
    91 RESOURCE_NOT_FOUND: "The request names something that does not exist.";
    92 DUPLICATE_RESOURCE: "The request names the same thing twice.";
    93 UNACCEPTABLE_CREDENTIAL: "The credentials to be stored do not meet the rules.";
    94 INCONSISTENT_VOTER_SET: "Sender and receiver of a quorum's request disagree on its voters.";
    95 INVALID_UPDATE_VERSION: "The feature cannot be set to that level.";
    96 FEATURE_UPDATE_FAILED: "The features could not be updated.";
    97 PRINCIPAL_DESERIALIZATION_FAILURE: "The principal of a forwarded request cannot be read.";
    98 SNAPSHOT_NOT_FOUND: "There is no such snapshot.";
    99 POSITION_OUT_OF_RANGE: "The position lies outside of the snapshot.";
    100 UNKNOWN_TOPIC_ID retriable: "No topic has that id, or this broker has no replica of it.";
    101 DUPLICATE_BROKER_REGISTRATION: "Another broker that is alive has that id.";
    102 BROKER_ID_NOT_REGISTERED: "No broker with that id is registered.";
    103 INCONSISTENT_TOPIC_ID retriable: "The log belongs to another topic id than the request names.";
    104 INCONSISTENT_CLUSTER_ID: "The request is meant for another cluster.";
    105 TRANSACTIONAL_ID_NOT_FOUND: "There is no such transactional id.";
    106 FETCH_SESSION_TOPIC_ID_ERROR retriable: "The fetch session began with topic ids and goes on without, or the reverse.";
    107 INELIGIBLE_REPLICA: "A replica is not allowed to enter the ISR.";
    108 NEW_LEADER_ELECTED: "The partition was changed as asked, and its leader changed as well.";
    109 OFFSET_MOVED_TO_TIERED_STORAGE: "The offset is no longer on local disks.";
    110 FENCED_MEMBER_EPOCH: "The group does not accept the member's epoch; give up all partitions and join again.";
    111 UNRELEASED_INSTANCE_ID: "A member that has not left yet uses the instance id.";
    112 UNSUPPORTED_ASSIGNOR: "The group does not support the assignor.";
    113 STALE_MEMBER_EPOCH: "The member's epoch is behind; repeat with the one from the next heartbeat.";
    114 MISMATCHED_ENDPOINT_TYPE: "The request is meant for the other kind of node, broker or controller.";
    115 UNSUPPORTED_ENDPOINT_TYPE: "This kind of endpoint is not supported.";
    116 UNKNOWN_CONTROLLER_ID: "No controller has that id.";
    117 UNKNOWN_SUBSCRIPTION_ID: "The telemetry subscription is unknown or out of date.";
    118 TELEMETRY_TOO_LARGE: "The telemetry is larger than the broker takes.";
    119 INVALID_REGISTRATION: "The controller refuses the broker's registration.";
    120 TRANSACTION_ABORTABLE: "The transaction cannot go on; abort it.";
    121 INVALID_RECORD_STATE: "The record's delivery state does not allow the acknowledgement.";
    122 SHARE_SESSION_NOT_FOUND retriable: "The broker has no such share session.";
    123 INVALID_SHARE_SESSION_EPOCH retriable: "The share session is not at that epoch.";
    124 FENCED_STATE_EPOCH: "The share coordinator knows a newer state epoch.";
    125 INVALID_VOTER_KEY: "The voter's key does not match that of the receiver.";
    126 DUPLICATE_VOTER: "The voter is part of the quorum already.";
    127 VOTER_NOT_FOUND: "The quorum has no such voter.";
    128 INVALID_REGULAR_EXPRESSION: "The regular expression cannot be read.";
    129 REBOOTSTRAP_REQUIRED: "The client's metadata is too old to go on with; start from the bootstrap servers.";
    130 STREAMS_INVALID_TOPOLOGY: "The streams topology contradicts itself.";
    131 STREAMS_INVALID_TOPOLOGY_EPOCH: "The topology epoch is not allowed.";
    132 STREAMS_TOPOLOGY_FENCED: "The group has a newer topology epoch.";
    133 SHARE_SESSION_LIMIT_REACHED retriable: "The broker holds as many share sessions as it may.";
    134 GROUP_DELETION_FAILED: "The group could not be deleted; its message says why.";
    135 STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED: "The description of the topology could not be taken over.";
    136 CONTROLLER_ID_NOT_REGISTERED: "No controller with that id is registered.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_without_gaps_so_that_the_table_is_its_own_index() {
        for (row, code) in TABLE.iter().zip(-1..) {
            assert_eq!(row.code, code, "{}", row.name);
        }
        assert_eq!(ErrorCode(136).name(), "CONTROLLER_ID_NOT_REGISTERED");
        assert_eq!(ErrorCode(137).name(), "UNKNOWN");
        assert_eq!(ErrorCode(i16::MIN).name(), "UNKNOWN");
        assert_eq!(ErrorCode(i16::MAX).name(), "UNKNOWN");
    }

    #[test]
    fn clients_repeat_what_may_pass() {
        assert!(ErrorCode::NOT_LEADER_OR_FOLLOWER.retriable());
        assert!(!ErrorCode::OFFSET_OUT_OF_RANGE.retriable());
    }
}
