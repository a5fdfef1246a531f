//! [`Picture`]: the cluster as its brokers last described it.

use std::collections::BTreeMap;

use klamm_protocol::messages::metadata::{MetadataResponse, MetadataResponseTopic};
use klamm_protocol::{ErrorCode, Str, Uuid};

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Its id.
    pub id: i32,
    /// Host and port, as they are connected to.
    pub address: String,
    /// Where it stands, if it says so.
    pub rack: Option<Str>,
}

/// Brokers and topics. A value: refreshing makes another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// The cluster's id; old brokers have none.
    pub cluster_id: Option<Str>,
    /// Who takes changes, -1 when nobody is known.
    pub controller_id: i32,
    /// By id.
    pub brokers: BTreeMap<i32, BrokerAddress>,
    /// By name, those that were asked for.
    pub topics: BTreeMap<Str, PicturedTopic>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq)]
pub struct PicturedTopic {
    /// NONE when the rest means something.
    pub error: ErrorCode,
    /// All zero with brokers of before 2.8.
    pub id: Uuid,
    /// Made by the cluster for itself.
    pub is_internal: bool,
    /// By number; without gaps in a whole answer.
    pub partitions: BTreeMap<i32, PicturedPartition>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq)]
pub struct PicturedPartition {
    /// Broker id of the leader, -1 for none.
    pub leader: i32,
    /// -1 when unknown.
    pub leader_epoch: i32,
    /// Broker ids.
    pub replicas: Vec<i32>,
    /// Of these, in sync.
    pub isr: Vec<i32>,
    /// Of these, not to be reached.
    pub offline: Vec<i32>,
}

impl Picture {
    /// The picture after another answer: brokers are replaced, topics that it speaks of too, others stay.
    ///
    /// An answer may come from a broker that is behind. A partition never goes back to an older leader epoch of the
    /// same topic (KIP-320), or a client would run in circles between two leaders.
    pub fn after(&self, answer: &MetadataResponse) -> Picture {
        let brokers = answer.brokers.iter().map(|broker| {
            let address = if broker.host.contains(':') {
                format!("[{}]:{}", broker.host, broker.port)
            } else {
                format!("{}:{}", broker.host, broker.port)
            };
            let rack = broker.rack.as_ref().map(Str::detached);
            let id = broker.node_id;
            (id, BrokerAddress { id, address, rack })
        });
        let mut topics = self.topics.clone();
        for topic in &answer.topics {
            let Some(name) = &topic.name else { continue };
            let topic = pictured(topic, topics.get(name));
            topics.insert(name.detached(), topic);
        }
        Picture {
            cluster_id: answer.cluster_id.as_ref().map(Str::detached),
            controller_id: answer.controller_id,
            brokers: brokers.collect(),
            topics,
        }
    }

    /// The leader of a partition, if both are known.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        let leader = self.topics.get(topic)?.partitions.get(&partition)?.leader;
        (leader >= 0).then_some(leader)
    }
}

fn pictured(topic: &MetadataResponseTopic, before: Option<&PicturedTopic>) -> PicturedTopic {
    let before = before.filter(|before| before.id == topic.topic_id);
    let partitions = topic.partitions.iter().map(|partition| {
        let known = before.and_then(|before| before.partitions.get(&partition.partition_index));
        let known =
            known.filter(|known| partition.leader_epoch < known.leader_epoch && partition.leader_epoch >= 0);
        let pictured = match known {
            Some(newer) => newer.clone(),
            None => PicturedPartition {
                leader: partition.leader_id,
                leader_epoch: partition.leader_epoch,
                replicas: partition.replica_nodes.clone(),
                isr: partition.isr_nodes.clone(),
                offline: partition.offline_replicas.clone(),
            },
        };
        (partition.partition_index, pictured)
    });
    PicturedTopic {
        error: topic.error_code,
        id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions: partitions.collect(),
    }
}

#[cfg(test)]
mod tests {
    use klamm_protocol::messages::metadata::{MetadataResponseBroker, MetadataResponsePartition};

    use super::*;

    fn answer(id: u8, leader_id: i32, leader_epoch: i32) -> MetadataResponse {
        let partition = MetadataResponsePartition {
            leader_id,
            leader_epoch,
            ..Default::default()
        };
        MetadataResponse {
            topics: vec![MetadataResponseTopic {
                name: Some("t".into()),
                topic_id: Uuid([id; 16]),
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    #[test]
    fn an_answer_from_a_broker_that_is_behind_does_not_bring_an_old_leader_back() {
        let picture = Picture::default().after(&answer(1, 5, 7));
        assert_eq!(picture.after(&answer(1, 4, 6)).leader("t", 0), Some(5));
        assert_eq!(picture.after(&answer(1, 4, 8)).leader("t", 0), Some(4));
        assert_eq!(picture.after(&answer(1, -1, 8)).leader("t", 0), None);
        // Another topic of the same name begins anew.
        assert_eq!(picture.after(&answer(2, 4, 0)).leader("t", 0), Some(4));
    }

    #[test]
    fn an_ipv6_host_is_put_in_brackets() {
        let broker = MetadataResponseBroker {
            node_id: 1,
            host: "::1".into(),
            port: 9092,
            rack: None,
        };
        let answer = MetadataResponse {
            brokers: vec![broker],
            ..Default::default()
        };
        assert_eq!(
            Picture::default().after(&answer).brokers[&1].address,
            "[::1]:9092"
        );
    }
}
