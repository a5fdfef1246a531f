//! The coordinator as a whole, through its door: scripts to read, and random histories.

mod history;
mod script;
mod world;
