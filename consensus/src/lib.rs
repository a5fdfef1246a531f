//! Raft-replicated cluster metadata.
