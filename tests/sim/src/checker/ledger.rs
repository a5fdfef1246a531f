//! Transactions: a reader of committed records sees a transaction whole or not at all, in the order in which it was
//! written, and nothing of one that is open or aborted.

use std::collections::{BTreeMap, BTreeSet};

/// What is known of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nobody has asked for its end.
    Open,
    /// It is to be committed; whether it was, is not known.
    Asked,
    /// It was, says the broker.
    Committed,
    /// It was not committed, and never will be.
    Aborted,
}

/// A record: its transaction, and its place among those that the transaction wrote to the partition.
pub type Entry = (u64, u64);

#[derive(Debug)]
struct Transaction {
    fate: Fate,
    /// Records acknowledged, by partition.
    counts: BTreeMap<i32, u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    transactions: BTreeMap<u64, Transaction>,
    next: u64,
    /// What committed readers have seen, by partition and offset.
    seen: BTreeMap<(i32, i64), Entry>,
    /// Transactions that ended as told.
    pub committed: u64,
}

impl Ledger {
    /// A transaction begins; gives its number.
    pub fn begin(&mut self) -> u64 {
        self.next += 1;
        let transaction = Transaction {
            fate: Fate::Open,
            counts: BTreeMap::new(),
        };
        self.transactions.insert(self.next, transaction);
        self.next
    }

    /// So many records of it are in the partition.
    pub fn wrote(&mut self, number: u64, partition: i32, count: u64) {
        if let Some(transaction) = self.transactions.get_mut(&number) {
            *transaction.counts.entry(partition).or_default() += count;
        }
    }

    /// Its fate is another now.
    pub fn turned(&mut self, number: u64, fate: Fate) {
        self.committed += u64::from(fate == Fate::Committed);
        if let Some(transaction) = self.transactions.get_mut(&number) {
            transaction.fate = fate;
        }
    }

    /// A reader of committed records was given this; gives what is wrong with it.
    pub fn read(&mut self, partition: i32, offset: i64, entry: Entry) -> Result<(), String> {
        let fate = self
            .transactions
            .get(&entry.0)
            .map(|transaction| transaction.fate);
        if !matches!(fate, Some(Fate::Asked | Fate::Committed)) {
            return Err(format!(
                "ledger-{partition} offset {offset}: a reader of committed records sees {entry:?}, which is {fate:?}"
            ));
        }
        match self.seen.insert((partition, offset), entry) {
            Some(before) if before != entry => Err(format!(
                "ledger-{partition} offset {offset} was {before:?} and is {entry:?}"
            )),
            _ => Ok(()),
        }
    }

    /// The partitions were read from beginning to end when all had ended; gives what is wrong with it.
    pub fn audit(&mut self, read: &BTreeMap<i32, Vec<Entry>>) -> Result<(), String> {
        let mut found: BTreeMap<(u64, i32), Vec<u64>> = BTreeMap::new();
        for (partition, entries) in read {
            for (number, place) in entries {
                found.entry((*number, *partition)).or_default().push(*place);
            }
        }
        for (number, transaction) in &self.transactions {
            let partitions: BTreeSet<i32> = transaction.counts.keys().copied().collect();
            let whole = partitions.iter().all(|partition| {
                let expected: Vec<u64> = (0..transaction.counts[partition]).collect();
                found.get(&(*number, *partition)) == Some(&expected)
            });
            let nothing = partitions
                .iter()
                .all(|partition| !found.contains_key(&(*number, *partition)));
            let holds = match transaction.fate {
                Fate::Committed => whole,
                Fate::Asked => whole || nothing,
                Fate::Open | Fate::Aborted => nothing,
            };
            if !holds {
                let found: Vec<_> = found.iter().filter(|((of, _), _)| of == number).collect();
                return Err(format!("{number}: {transaction:?} is read as {found:?}"));
            }
        }
        for (number, transaction) in self.transactions.iter_mut() {
            let is_there = found.keys().any(|(of, _)| of == number);
            if transaction.fate == Fate::Asked && !transaction.counts.is_empty() {
                transaction.fate = if is_there { Fate::Committed } else { Fate::Aborted };
            }
        }
        Ok(())
    }
}
