//! Whole nodes on one thread, from one seed.

fn main() {}
