//! The one binary: command line and composition root.

fn main() {}
