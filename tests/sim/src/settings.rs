//! The broker's settings in the simulator: small and quick, so that a short run sees much.

use klamm_broker::config::{self, Assignment, BrokerConfig, Origin};

/// What a broker has in its file here.
const PROPERTIES: [(&str, &str); 13] = [
    ("node.id", "0"),
    ("log.dirs", "/data,/more"),
    ("listeners", "PLAINTEXT://127.0.0.1:9092"),
    ("advertised.listeners", "PLAINTEXT://127.0.0.1:9092"),
    ("auto.create.topics.enable", "false"),
    ("offsets.topic.num.partitions", "2"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.num.partitions", "2"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("klamm.reserve.bytes", "200000"),
    ("log.retention.check.interval.ms", "1000"),
    ("log.flush.offset.checkpoint.interval.ms", "2000"),
    ("log.flush.start.offset.checkpoint.interval.ms", "2000"),
];

/// The settings of the one broker.
pub fn broker() -> BrokerConfig {
    let assignment = |(name, value): (&str, &str)| Assignment {
        name: name.to_owned(),
        value: value.to_owned(),
        origin: Origin::CommandLine,
    };
    let assignments: Vec<Assignment> = PROPERTIES.into_iter().map(assignment).collect();
    config::load(&assignments, None)
        .expect("the settings of the simulator are sound")
        .config
}
