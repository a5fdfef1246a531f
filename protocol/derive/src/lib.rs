//! The derives that turn annotated structs into Kafka messages.
