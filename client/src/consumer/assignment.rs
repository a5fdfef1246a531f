//! What members of a group say to one another, and who gets which partitions: pure functions.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use klamm_protocol::stored::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition,
};
use klamm_protocol::{Decoder, Encoder, Message, Str};

/// Partitions by topic.
pub type Partitions = BTreeMap<Str, Vec<i32>>;

/// A member as the leader of the group sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id in the group.
    pub member: Str,
    /// The id that it chose itself; such members keep their place when they come back under another member id.
    pub instance: Option<Str>,
    /// What it wants to read.
    pub topics: Vec<Str>,
}

/// What a consumer wants to read, as it stands in a JoinGroup. Version 0 says all that the range assignor needs.
pub fn encode_subscription(topics: &[Str]) -> Bytes {
    let subscription = ConsumerProtocolSubscription {
        topics: topics.to_vec(),
        ..Default::default()
    };
    versioned(&subscription)
}

/// The topics of a subscription of any version; `None` when it is malformed.
pub fn subscribed_topics(metadata: Bytes) -> Option<Vec<Str>> {
    let subscription: ConsumerProtocolSubscription = decode(metadata)?;
    Some(subscription.topics)
}

/// What a consumer is to read, as it stands in a SyncGroup.
pub fn encode_assignment(partitions: &Partitions) -> Bytes {
    let assigned = partitions.iter().map(|(topic, partitions)| TopicPartition {
        topic: topic.clone(),
        partitions: partitions.clone(),
    });
    versioned(&ConsumerProtocolAssignment {
        assigned_partitions: assigned.collect(),
        ..Default::default()
    })
}

/// The partitions of an assignment of any version; `None` when it is malformed. Nothing at all is no partition.
pub fn assigned_partitions(assignment: Bytes) -> Option<Partitions> {
    if assignment.is_empty() {
        return Some(Partitions::new());
    }
    let assignment: ConsumerProtocolAssignment = decode(assignment)?;
    let assigned = assignment.assigned_partitions.into_iter();
    Some(
        assigned
            .map(|assigned| (assigned.topic.detached(), assigned.partitions))
            .collect(),
    )
}

/// Deals out topics one by one: each to its subscribers in order, in runs of partitions that differ in length by one
/// at most, the longer ones first (Kafka: `RangeAssignor` without racks).
///
/// `counts` are the partitions of each topic; topics without are left out. Every member gets an entry.
pub fn range(members: &[Subscriber], counts: &BTreeMap<Str, i32>) -> BTreeMap<Str, Partitions> {
    let mut ordered: Vec<&Subscriber> = members.iter().collect();
    // Members with an instance id come first and by that, so that a restart under another member id moves nothing.
    ordered.sort_by_key(|member| {
        (
            member.instance.is_none(),
            member.instance.clone(),
            member.member.clone(),
        )
    });
    let mut assignment: BTreeMap<Str, Partitions> = members
        .iter()
        .map(|member| (member.member.clone(), Partitions::new()))
        .collect();
    for (topic, &count) in counts {
        let subscribers: Vec<_> = ordered
            .iter()
            .filter(|member| member.topics.contains(topic))
            .collect();
        let Some(members) = i32::try_from(subscribers.len())
            .ok()
            .filter(|&members| members > 0)
        else {
            continue;
        };
        let (each, longer) = (count / members, count % members);
        let mut first = 0;
        for (i, subscriber) in (0..).zip(subscribers) {
            let end = first + each + i32::from(i < longer);
            if first < end {
                let partitions = assignment.entry(subscriber.member.clone()).or_default();
                partitions.insert(topic.clone(), (first..end).collect());
            }
            first = end;
        }
    }
    assignment
}

fn versioned<M: Message>(message: &M) -> Bytes {
    let mut out = Encoder::new();
    out.i16(0);
    message
        .encode(&mut out, 0)
        .expect("names of topics fit, and version 0 has every field that is set");
    let mut bytes = BytesMut::new();
    out.finish().into_iter().for_each(|part| bytes.put(part));
    bytes.freeze()
}

fn decode<M: Message>(bytes: Bytes) -> Option<M> {
    let mut input = Decoder::new(bytes);
    // Newer versions only add fields at the end.
    let version = input.i16().ok().filter(|&version| version >= 0)?;
    M::decode(&mut input, version.min(M::SCHEMA.versions.max)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(member: &'static str, instance: Option<&'static str>, topics: &[&'static str]) -> Subscriber {
        Subscriber {
            member: member.into(),
            instance: instance.map(Str::from_static),
            topics: topics.iter().copied().map(Str::from_static).collect(),
        }
    }

    fn dealt(members: &[Subscriber], counts: &[(&'static str, i32)]) -> Vec<String> {
        let counts = counts
            .iter()
            .map(|&(topic, count)| (Str::from_static(topic), count))
            .collect();
        let line = |(member, partitions): (&Str, &Partitions)| {
            let topics = partitions
                .iter()
                .map(|(topic, partitions)| format!(" {topic}{partitions:?}"));
            format!("{member}:{}", topics.collect::<String>())
        };
        range(members, &counts).iter().map(line).collect()
    }

    #[test]
    fn range_deals_each_topic_in_runs_and_the_first_members_get_one_more() {
        let members = [member("b", None, &["t", "u"]), member("a", None, &["t", "u"])];
        assert_eq!(
            dealt(&members, &[("t", 3), ("u", 3)]),
            ["a: t[0, 1] u[0, 1]", "b: t[2] u[2]"]
        );
    }

    #[test]
    fn range_gives_a_topic_only_to_its_subscribers_and_may_leave_members_without() {
        let members = [
            member("a", None, &["t"]),
            member("b", None, &["u"]),
            member("c", None, &["t", "u", "gone"]),
        ];
        assert_eq!(
            dealt(&members, &[("t", 1), ("u", 2)]),
            ["a: t[0]", "b: u[0]", "c: u[1]"]
        );
        assert_eq!(dealt(&members, &[]), ["a:", "b:", "c:"]);
    }

    #[test]
    fn a_static_member_keeps_its_place_under_another_member_id() {
        let before = [member("x1", Some("i1"), &["t"]), member("x0", None, &["t"])];
        let after = [member("a9", Some("i1"), &["t"]), member("x0", None, &["t"])];
        assert_eq!(dealt(&before, &[("t", 2)]), ["x0: t[1]", "x1: t[0]"]);
        assert_eq!(dealt(&after, &[("t", 2)]), ["a9: t[0]", "x0: t[1]"]);
    }

    #[test]
    fn subscription_and_assignment_read_back_and_newer_versions_are_read_as_far_as_known() {
        let topics = [Str::from("t"), Str::from("u")];
        assert_eq!(subscribed_topics(encode_subscription(&topics)).unwrap(), topics);
        let partitions: Partitions = [("t".into(), vec![0, 2])].into();
        let bytes = encode_assignment(&partitions);
        assert_eq!(assigned_partitions(bytes.clone()).unwrap(), partitions);
        let newer = [&9i16.to_be_bytes(), &bytes[2..], b"more"].concat();
        assert_eq!(assigned_partitions(newer.into()).unwrap(), partitions);
        assert_eq!(assigned_partitions(Bytes::from_static(&[0, 0, 0xff])), None);
        assert_eq!(assigned_partitions(Bytes::new()), Some(Partitions::new()));
    }
}
