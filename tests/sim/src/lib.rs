//! Whole nodes on one thread, from one seed.
//!
//! The node, its logs, its metadata and its coordinators are the real code; clock, network, threads and disk are
//! not. Everything that happens follows from the seed, so that a failure comes back as often as it is asked for:
//! `klamm-sim --seed N`. Chance kills the broker between any two calls to its disk, takes its power, breaks
//! connections and moves the clock, while clients that speak the real protocol tell the checker what they see.
//!
//! Read on in [`checker`] for what must hold, in [`world`] for time and chance, in [`host`] for the machine, in
//! [`run`](mod@run) for the course of a run.

pub mod checker;
pub mod clients;
pub mod host;
pub mod network;
pub mod random;
pub mod run;
mod settings;
pub mod trace;
pub mod world;

#[cfg(test)]
mod tests {
    use klamm_storage::bug::Bug;

    use super::run::{Options, STEPS, run};

    fn hold(seeds: std::ops::Range<u64>) {
        let (mut acked, mut commits) = (0, 0);
        for seed in seeds {
            let options = Options {
                seed,
                steps: 8_000,
                print: false,
                bug: None,
            };
            let (first, second) = (run(&options), run(&options));
            assert_eq!(
                first.failure, None,
                "cargo run --release -p klamm-sim -- --seed {seed}"
            );
            assert_eq!(first.trace, second.trace, "seed {seed} gives two traces");
            assert!(first.counts.acked > 0, "seed {seed} checks nothing: {first:?}");
            (acked, commits) = (acked + first.counts.acked, commits + first.counts.commits);
        }
        // A single seed may kill the broker too often for any group to get that far.
        assert!(commits > 100, "{commits} commits beside {acked} records");
    }

    /// What finds none of these would prove nothing.
    #[test]
    fn deliberate_bugs_are_found_within_a_few_seeds() {
        for (bug, seeds) in [
            (Bug::EarlyAck, 1),
            (Bug::TornBatch, 3),
            (Bug::LostSequence, 1),
            (Bug::EarlyCommit, 12),
            (Bug::EarlyPublish, 19),
            (Bug::SkippedStart, 1),
            (Bug::LostKey, 4),
            (Bug::IgnoredSync, 20),
            (Bug::IgnoredNoRoom, 1),
            (Bug::ForgottenTransaction, 4),
        ] {
            let is_found = |seed| {
                let options = Options {
                    seed,
                    steps: STEPS,
                    print: false,
                    bug: Some(bug),
                };
                run(&options).failure.is_some()
            };
            // The last of them found it when this was written; what has changed since may have moved that.
            assert!((seeds - 1..5 * seeds).any(is_found), "{bug:?} is not found");
        }
    }

    // Two tests, so that two cores have something to do.

    #[test]
    fn a_dozen_seeds_hold_and_come_back_the_same() {
        hold(0..12);
    }

    #[test]
    fn another_dozen_seeds_hold_and_come_back_the_same() {
        hold(12..24);
    }
}
