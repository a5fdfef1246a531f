//! Kafka's wire protocol: bytes to typed messages and record batches, and back.
