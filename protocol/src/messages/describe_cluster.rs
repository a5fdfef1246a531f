//! DescribeCluster: name, nodes and controller (KIP-700).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks about the cluster.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 60, versions = "0-2", flexible = "0+")]
pub struct DescribeClusterRequest {
    /// Whether to say what the client may do with the cluster.
    pub include_cluster_authorized_operations: bool,
    /// Which nodes to list: 1 brokers, 2 controllers (KIP-919). MISMATCHED_ENDPOINT_TYPE when the node asked is of
    /// the other kind.
    #[field(versions = "1+", default = "1")]
    pub endpoint_type: i8,
    /// Whether to list fenced brokers too (KIP-1073).
    #[field(versions = "2+")]
    pub include_fenced_brokers: bool,
    /// Klamm's own: whether to say who uses versions that Kafka 4.0 refuses.
    #[field(tag = 20_000, tagged = "0+", own)]
    pub include_old_clients: bool,
}

/// The cluster.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 60, versions = "0-2", flexible = "0+")]
pub struct DescribeClusterResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// MISMATCHED_ENDPOINT_TYPE, UNSUPPORTED_ENDPOINT_TYPE, UNSUPPORTED_VERSION.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// Which nodes are listed.
    #[field(versions = "1+", default = "1")]
    pub endpoint_type: i8,
    /// The cluster's name.
    pub cluster_id: Str,
    /// The active controller where controllers are listed, else a broker to send changes to; -1 for none.
    #[field(default = "-1")]
    pub controller_id: i32,
    /// The nodes.
    pub brokers: Vec<DescribeClusterBroker>,
    /// What the client may do with the cluster, a bit per operation; the smallest int32 when not asked.
    #[field(default = "-2147483648")]
    pub cluster_authorized_operations: i32,
    /// Klamm's own: who uses versions that Kafka 4.0 refuses, as far as this node has seen; null when not asked.
    #[field(nullable = "0+", default = "null", tag = 20_000, tagged = "0+", own)]
    pub old_clients: Option<OldClients>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeClusterBroker {
    /// Its id.
    pub broker_id: i32,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: i32,
    /// Where it stands (`broker.rack`).
    #[field(nullable = "0+", default = "null")]
    pub rack: Option<Str>,
    /// Whether it is fenced: registered, but not to be used.
    #[field(versions = "2+")]
    pub is_fenced: bool,
}

/// Klamm's own: who uses versions that Kafka 4.0 refuses.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OldClients {
    /// The uses that were seen last, the latest first; a bounded number.
    pub uses: Vec<OldClientUse>,
    /// Requests since the start of the node that belong to no use listed here.
    pub further_requests: i64,
}

/// Requests of one client to one API in one version.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OldClientUse {
    /// How the client calls itself, shortened; empty where it does not.
    pub client_id: Str,
    /// The name of its software, shortened; empty where it did not say (ApiVersions 3, KIP-511).
    pub software_name: Str,
    /// The version of its software, likewise.
    pub software_version: Str,
    /// Key of the API that it asked for.
    pub api_key: i16,
    /// The version of the API in which it asked.
    pub api_version: i16,
    /// So many requests.
    pub requests: i64,
    /// When the first of them came, in milliseconds since 1970.
    pub first_ms: i64,
    /// When the last of them came.
    pub last_ms: i64,
    /// Records that were converted for them.
    pub converted_records: i64,
    /// Bytes of those before they were converted.
    pub converted_bytes: i64,
    /// Microseconds that the jobs took; what is converted at once, since it is short, is not measured.
    pub conversion_us: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoder, Encoder, Message};

    fn bytes_of<M: Message>(message: &M, version: i16) -> bytes::Bytes {
        let mut out = Encoder::new();
        message.encode(&mut out, version).expect("every version has it");
        out.finish().concat().into()
    }

    #[test]
    fn what_is_our_own_is_tagged_so_that_kafka_skips_it_and_is_not_there_unless_asked() {
        for version in 0..=2 {
            let plain = DescribeClusterRequest::default();
            let asking = DescribeClusterRequest {
                include_old_clients: true,
                ..plain.clone()
            };
            let (plain_bytes, bytes) = (bytes_of(&plain, version), bytes_of(&asking, version));
            let (tags, before) = plain_bytes.split_last().expect("the number of tags");
            assert_eq!(*tags, 0);
            // One tag: its number as a varint, its size, true.
            assert_eq!(bytes, [before, &[1, 0xa0, 0x9c, 0x01, 1, 1]].concat());
            let read = DescribeClusterRequest::decode(&mut Decoder::new(bytes), version);
            assert_eq!(read, Ok(asking));

            let answer = DescribeClusterResponse {
                old_clients: Some(OldClients {
                    uses: vec![OldClientUse {
                        client_id: "c".into(),
                        requests: 1 << 40,
                        ..OldClientUse::default()
                    }],
                    further_requests: 7,
                }),
                ..DescribeClusterResponse::default()
            };
            let plain = bytes_of(&DescribeClusterResponse::default(), version);
            let bytes = bytes_of(&answer, version);
            assert_eq!(plain.split_last().map(|(tags, _)| *tags), Some(0));
            assert!(bytes.starts_with(&plain[..plain.len() - 1]));
            let read = DescribeClusterResponse::decode(&mut Decoder::new(bytes), version);
            assert_eq!(read, Ok(answer));
        }
        let names =
            |schema: &crate::Schema| -> Vec<_> { schema.body.fields.iter().map(|f| f.name).collect() };
        assert!(!names(DescribeClusterRequest::SCHEMA).contains(&"IncludeOldClients"));
        assert!(!names(DescribeClusterResponse::SCHEMA).contains(&"OldClients"));
    }
}
