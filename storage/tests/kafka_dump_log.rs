//! Kafka's own `kafka-dump-log` reads our files, while the log is open and in use; and we open the files of a real
//! Kafka.
//!
//! Wants `KLAMM_KAFKA`: a program that is called as `$KLAMM_KAFKA tool kafka-dump-log ARGS`, and with `start`, `kill9`
//! and `stop`. Without it the tests say that they were skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};

use klamm_protocol::Uuid;
use klamm_protocol::ids::TopicId;
use klamm_protocol::record::control::{ControlRecord, end_transaction};
use klamm_protocol::record::{Batch, BatchBuilder, Batches, Compression};
use klamm_storage::lane::Lane;
use klamm_storage::sys::{Fs, RealFs};
use klamm_storage::{
    AbortedTransaction, LaneDone, LaneJob, Log, LogConfig, LogKey, OpenFiles, OpenOptions, Read, Tail,
};

type Dones = Arc<(Mutex<Vec<LaneDone>>, Condvar)>;

/// A log on the real disk with the real lane.
struct Running {
    log: Log,
    lane: Lane,
    dones: Dones,
    in_flight: usize,
}

impl Running {
    fn open(directory: &Path, config: LogConfig) -> Running {
        Running::open_of(TopicId(Uuid([3; 16])), directory, config, false)
    }

    fn open_of(topic_id: TopicId, directory: &Path, config: LogConfig, clean: bool) -> Running {
        let fs: Arc<dyn Fs> = Arc::new(RealFs);
        let options = OpenOptions {
            key: LogKey {
                topic_id,
                partition: 0,
            },
            directory: directory.to_owned(),
            config,
            tail: Tail::new(1 << 20),
            open_files: Arc::new(OpenFiles::new(100)),
            recovery_point: 0,
            log_start_offset: 0,
            compacted_to: 0,
            clean,
            now_ms: 1_700_000_000_000,
        };
        let log = Log::open(&fs, options).expect("the directory is fresh");
        let dones = Dones::default();
        let report = Arc::clone(&dones);
        let lane = Lane::start(
            "test",
            fs,
            1 << 20,
            Box::new(move |done| {
                report
                    .0
                    .lock()
                    .expect("no test thread panics with it")
                    .extend(done);
                report.1.notify_one();
            }),
        );
        Running {
            log,
            lane: lane.expect("threads start"),
            dones,
            in_flight: 0,
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Log, &mut Vec<LaneJob>)) {
        let mut jobs = Vec::new();
        act(&mut self.log, &mut jobs);
        self.in_flight += jobs.len();
        self.lane.submit(jobs);
    }

    fn append(&mut self, batch: Batch) {
        self.act(|log, jobs| {
            log.append(vec![batch], 5, 1_700_000_000_000, jobs)
                .expect("the log takes it");
        });
    }

    fn settle(&mut self) {
        while self.in_flight > 0 {
            let dones = {
                let (queue, wake) = &*self.dones;
                let queue = queue.lock().expect("no test thread panics with it");
                let mut queue = wake
                    .wait_while(queue, |queue| queue.is_empty())
                    .expect("as above");
                std::mem::take(&mut *queue)
            };
            for done in dones {
                assert_eq!(done.error(), None);
                self.in_flight -= 1;
                self.act(|log, jobs| {
                    log.on_done(done, jobs);
                });
            }
        }
    }
}

fn fill(running: &mut Running) {
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for number in 0..400i32 {
        let mut builder =
            BatchBuilder::new(codecs[usize::try_from(number).expect("positive") % codecs.len()]);
        match number % 3 {
            0 => {}
            1 => {
                builder.producer(7, 0, number / 3 * 2);
            }
            _ => {
                builder.producer(8, 0, number / 3 * 2).transactional();
            }
        }
        for record in 0..2 {
            let value = format!("value {number} {record} {}", "x".repeat(200));
            let time = 1_700_000_000_000 + i64::from(number) * 10 + record;
            builder.append(time, Some(b"key"), Some(value.as_bytes()));
        }
        running.append(builder.finish());
        if number % 60 == 59 {
            running.append(end_transaction(1_700_000_000_000, 8, 0, number % 120 == 59, 1));
        }
    }
    running.settle();
    running.act(|log, jobs| log.flush(jobs));
    running.settle();
}

/// What the tool says of these files, which it reads in one go, as it takes long to start. It complains in its text or
/// on the error stream, and ends well all the same.
fn dump<'a>(kafka: &str, files: impl IntoIterator<Item = &'a PathBuf>, args: &[&str]) -> String {
    let names = files.into_iter().map(|file| file.display().to_string());
    let names = names.collect::<Vec<_>>().join(",");
    let output = Command::new(kafka)
        .args(["tool", "kafka-dump-log"])
        .args(args)
        .args(["--files", &names])
        .output()
        .expect("KLAMM_KAFKA names a program");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{names}: {text}{errors}");
    let said = format!("{text}{errors}").to_lowercase();
    for complaint in [
        "mismatch",
        "exception",
        "isvalid: false",
        "corrupt",
        "invalid bytes",
        "out of order",
    ] {
        assert!(!said.contains(complaint), "{names}: {text}{errors}");
    }
    text
}

/// The files of a log's directory with these endings, sorted.
fn files_of(directory: &Path, kinds: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("it is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| {
        let kind = file.extension().and_then(|kind| kind.to_str());
        kind.is_some_and(|kind| kinds.contains(&kind))
    });
    files.sort();
    files
}

#[test]
fn kafka_reads_every_file_of_a_log_in_use() {
    let Ok(kafka) = std::env::var("KLAMM_KAFKA") else {
        eprintln!("skipped: KLAMM_KAFKA is not set");
        return;
    };
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let directory = temporary.path().join("t-0");
    let config = LogConfig {
        segment_bytes: 32 * 1024,
        index_interval_bytes: 1024,
        ..LogConfig::default()
    };
    let mut running = Running::open(&directory, config);
    fill(&mut running);
    assert!(running.log.segment_count() > 2);

    let text = dump(&kafka, &files_of(&directory, &["log"]), &["--deep-iteration"]);
    assert!(text.contains("partitionLeaderEpoch: 5"), "{text}");
    let mut records = 0;
    for record in text.lines().filter_map(|line| line.strip_prefix("| offset: ")) {
        assert!(
            record.starts_with(&format!("{records} ")),
            "offsets with a gap: {text}"
        );
        records += 1;
    }
    dump(&kafka, &files_of(&directory, &["index", "timeindex"]), &[]);
    let text = dump(&kafka, &files_of(&directory, &["txnindex"]), &[]);
    let aborted = text.matches("producerId: 8").count();
    let snapshots = files_of(&directory, &["snapshot"]);
    let text = dump(&kafka, &snapshots, &[]);
    for snapshot in text.split("Dumping ").skip(1) {
        let knows = |producer| snapshot.contains(producer);
        assert!(
            knows("producerId: 7 ") && knows("producerId: 8 "),
            "each snapshot knows both producers: {text}"
        );
    }
    assert_eq!(text.matches("Dumping ").count(), running.log.segment_count() - 1);
    // 400 batches of two records and six markers, three of them aborts.
    assert_eq!((records, aborted), (806, 3));
}

#[test]
fn kafka_reads_a_compacted_log() {
    let Ok(kafka) = std::env::var("KLAMM_KAFKA") else {
        eprintln!("skipped: KLAMM_KAFKA is not set");
        return;
    };
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let directory = temporary.path().join("t-0");
    let config = LogConfig {
        segment_bytes: 32 * 1024,
        index_interval_bytes: 1024,
        compact: true,
        ..LogConfig::default()
    };
    let mut running = Running::open(&directory, config);
    let mut builder = BatchBuilder::new(Compression::Zstd);
    builder.append(1_700_000_000_000, Some(b"gone"), None);
    builder.append(1_700_000_000_000, Some(b"stays"), Some(b"value"));
    running.append(builder.finish());
    // Nothing is left of what it ends.
    running.append(end_transaction(1_700_000_000_000, 8, 0, false, 1));
    let mut before = 0;
    for _ in 0..2 {
        fill(&mut running);
        before = running.log.segment_count();
        let end = running.log.log_end_offset();
        running.log.on_high_watermark(end);
        let job = running
            .log
            .compact(1_700_000_000_000, end, 1 << 20)
            .expect("it is due");
        let compacted = job.run().expect("the disk is sound");
        running.act(|log, jobs| log.on_compacted(compacted, jobs));
        running.settle();
    }
    assert!(running.log.segment_count() < before, "some have become one");
    let first = directory.join("00000000000000000000.log");
    let text = dump(&kafka, [&first], &["--deep-iteration", "--print-data-log"]);
    let horizons = text.matches("deleteHorizonMs: OptionalLong[1700086400000]");
    let batches = text.matches("baseOffset: ");
    assert_eq!(horizons.count(), batches.count(), "tombstone and markers: {text}");
    for expected in ["key: gone", "key: stays payload: value", "endTxnMarker: ABORT"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("key: key"), "a newer one is behind: {text}");
    dump(
        &kafka,
        &files_of(&directory, &["index", "timeindex", "txnindex"]),
        &[],
    );
}

/// Runs the launcher; gives what it says.
fn ask(kafka: &str, args: &[&str]) -> String {
    let output = Command::new(kafka)
        .args(args)
        .output()
        .expect("KLAMM_KAFKA names a program");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{args:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn copy_log(from: &Path, to: &Path) -> TopicId {
    std::fs::create_dir(to).expect("a fresh directory");
    for entry in std::fs::read_dir(from).expect("Kafka has made it") {
        let entry = entry.expect("readable");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("it can be copied");
    }
    let metadata = std::fs::read_to_string(to.join("partition.metadata")).expect("Kafka has written it");
    let id = metadata.rsplit(' ').next().expect("the id comes last");
    TopicId(id.trim().parse().expect("22 characters"))
}

#[test]
fn a_partition_that_kafka_wrote_opens_also_after_kill_9_and_is_written_on() {
    let Ok(kafka) = std::env::var("KLAMM_KAFKA") else {
        eprintln!("skipped: KLAMM_KAFKA is not set");
        return;
    };
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let of_kafka = temporary.path().join("kafka");
    let (dir, own_pid) = (of_kafka.display().to_string(), std::process::id().to_string());
    let said = ask(&kafka, &["start", "--dir", &dir, "--with", &own_pid]);
    let address = said
        .split_whitespace()
        .find_map(|word| word.strip_prefix("bootstrap="));
    let address = address.expect("it says where it listens");
    let server = ["--bootstrap-server", address, "--topic", "t"];
    let create = [
        "tool",
        "kafka-topics",
        "--create",
        "--config",
        "segment.bytes=1048576",
    ];
    ask(&kafka, &[&create[..], &server].concat());
    // Transactions, so that there are markers and producers. The first one is left open by a producer that dies, and
    // aborted when the next one comes under its name.
    let load = |options: &str| {
        let words = ["tool", "kafka-producer-perf-test"].into_iter().chain(server);
        let options = format!("{options} --record-size 1000 --transactional-id x --transaction-duration-ms");
        let words = words
            .map(str::to_owned)
            .chain(options.split(' ').map(str::to_owned));
        words.collect::<Vec<String>>()
    };
    let endless = load("--num-records 1000000 --throughput 500");
    let mut dying = Command::new(&kafka)
        .args(&endless)
        .arg("600000")
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("KLAMM_KAFKA names a program");
    let ends = [&["tool", "kafka-get-offsets"], &server[..]].concat();
    while ask(&kafka, &ends).trim() == "t:0:0" {
        assert!(dying.try_wait().expect("it is ours").is_none(), "it has ended");
    }
    dying.kill().expect("it is ours");
    dying.wait().expect("it is ours");
    let whole = load("--num-records 3000 --throughput -1");
    let whole: Vec<&str> = whole.iter().map(String::as_str).chain(["20"]).collect();
    ask(&kafka, &whole);

    ask(&kafka, &["kill9", &dir]);
    let data = of_kafka.join("1/data/t-0");
    let killed = temporary.path().join("killed-0");
    let topic_id = copy_log(&data, &killed);
    ask(&kafka, &["start", "--keep", "--dir", &dir, "--with", &own_pid]);
    ask(&kafka, &["stop", &dir]);
    let stopped = temporary.path().join("stopped-0");
    copy_log(&data, &stopped);
    // Of the one that was stopped, Kafka's own sidecars count; of the other one they are made again.
    for (directory, clean) in [(killed, false), (stopped, true)] {
        let mut running = Running::open_of(topic_id, &directory, LogConfig::default(), clean);
        let (mut next, mut records) = (0, 0);
        let end = running.log.log_end_offset();
        let aborted = running.log.aborted_transactions(0, end).expect("it is open");
        let aborted = aborted.run().expect("the disk is sound");
        let [
            AbortedTransaction {
                first_offset: 0,
                producer_id,
            },
        ] = aborted[..]
        else {
            panic!("the first transaction and no other one: {aborted:?}");
        };
        let mut is_open = true;
        while next < end {
            let Read::Job(job) = running.log.read(next, end, 1 << 20, true).expect("in range") else {
                panic!("nothing of it is in memory");
            };
            for batch in Batches::new(job.run().expect("the disk is sound").records.to_bytes()) {
                let batch = batch.expect("whole and right");
                let header = batch.header();
                assert_eq!(header.base_offset, next);
                next = header.last_offset() + 1;
                if header.is_control() {
                    let marker = ControlRecord::of(&batch).expect("Kafka has written it");
                    let aborts = matches!(marker, ControlRecord::EndTransaction { commit: false, .. });
                    assert_eq!(aborts, is_open, "the first marker, and no other one");
                    assert_eq!(header.producer_id, producer_id);
                    is_open = false;
                } else if !is_open {
                    records += header.record_count;
                }
            }
        }
        assert_eq!(records, 3000, "{}", directory.display());
        assert!(running.log.segment_count() > 2 && running.log.producer_count() == 1);
        let mut builder = BatchBuilder::new(Compression::Zstd);
        builder.append(1_700_000_000_000, Some(b"key"), Some(b"ours"));
        running.append(builder.finish());
        running.settle();
        running.act(|log, jobs| log.close(jobs));
        running.settle();
        let all = ["log", "index", "timeindex", "txnindex", "snapshot"];
        dump(&kafka, &files_of(&directory, &all), &[]);
    }
}

#[test]
fn a_log_on_the_real_disk_comes_back() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let directory = temporary.path().join("t-0");
    let config = LogConfig {
        segment_bytes: 32 * 1024,
        index_interval_bytes: 1024,
        ..LogConfig::default()
    };
    let mut running = Running::open(&directory, config.clone());
    fill(&mut running);
    let (end, segments) = (running.log.log_end_offset(), running.log.segment_count());
    assert_eq!((end, running.log.recovery_point()), (806, 806));
    drop(running);
    let running = Running::open(&directory, config);
    assert_eq!(
        (running.log.log_end_offset(), running.log.segment_count()),
        (end, segments)
    );
    assert_eq!(running.log.producer_count(), 2);
}
