//! Settings: one table under Kafka's names, and the typed structs that code reads.
//!
//! [`table`] says what there is. [`load`] checks what somebody wrote (file, environment, command line) against
//! it and makes a [`BrokerConfig`]. [`TopicConfig::resolve`] does the same for a topic. [`describe_broker`] and
//! [`describe_topic`] answer DescribeConfigs. Nothing here reads a file, a variable or a clock.

mod broker_config;
mod describe;
mod listener;
mod load;
pub mod setting;
pub mod table;
mod topic_config;
mod values;

pub use broker_config::{BrokerConfig, GroupConfig, LogConfig, NetworkConfig, OffsetsConfig};
pub use describe::{Described, Synonym, describe_all_brokers, describe_broker, describe_topic};
pub use listener::{Listener, ListenerError, SecurityProtocol};
pub use load::{ConfigError, Loaded, check_broker_config, load};
pub use topic_config::{TimestampType, TopicCompression, TopicConfig, check_topic_configs};
pub use values::{Assignment, Origin, Source, Values};
