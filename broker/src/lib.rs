//! The broker as a library: requests in, answers out, and everything that decides in between.
//!
//! The core is a state machine that takes events and returns effects. It holds no clock, thread, socket or
//! file; time is an argument, and what touches the world is an effect that somebody carries out: the server
//! for real, the simulator in tests.
//!
//! Read on in [`router`] (which APIs are served) and `api/` (one file per API).

pub mod api;
pub mod config;
pub mod coordinator;
mod ids;
mod random;
pub mod router;

pub use ids::{CloseReason, ConnectionId, ConnectionInfo, LaneId, Now, RequestId};
