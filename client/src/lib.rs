//! A small Kafka client: what the command line and every platform part stand on.
