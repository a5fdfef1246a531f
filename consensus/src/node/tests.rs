//! The node on a file system in memory that crashes, lies damaged, or is full.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use klamm_storage::lane;
use klamm_storage::sys::memory::{Fault, MemoryFs};
use klamm_storage::sys::{Fs, Mode, RealFs};

use super::*;
use crate::random::Random;
use crate::request::{NewTopic, Refusal};
use crate::tests::{AnyConfig, any_request, register, seeds};

const DIR: &str = "/data";

fn options(seed: u64) -> MetadataOptions {
    MetadataOptions {
        dir: PathBuf::from(DIR),
        log_dirs: vec![PathBuf::from(DIR)],
        node_id: BrokerId(1),
        directory_id: Uuid([9; 16]),
        cluster_id: None,
        features: Vec::new(),
        rules: Arc::new(AnyConfig),
        defaults: TopicDefaults {
            partitions: 1,
            replication_factor: 1,
        },
        seed,
        now_ms: 1_000,
    }
}

fn open(fs: &MemoryFs, seed: u64) -> Result<MetadataNode, OpenError> {
    MetadataNode::open(&fs.shared(), options(seed))
}

/// Why the node does not open.
fn refusal(fs: &Arc<dyn Fs>, options: MetadataOptions) -> String {
    match MetadataNode::open(fs, options) {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

/// Executes jobs until nothing is left; gives what was said on the way.
fn run_jobs(fs: &MemoryFs, node: &mut MetadataNode) -> MetadataOutput {
    let mut said = MetadataOutput::default();
    loop {
        let output = node.drain();
        said.answers.extend(output.answers);
        said.published.extend(output.published);
        said.failure = said.failure.or(output.failure);
        if output.jobs.is_empty() {
            return said;
        }
        for done in lane::run(&fs.shared(), output.jobs) {
            node.on_done(done);
        }
    }
}

fn create(name: &str) -> ControllerRequest {
    ControllerRequest::CreateTopics {
        topics: vec![NewTopic {
            name: name.into(),
            partitions: 1,
            replication_factor: 1,
            ..NewTopic::default()
        }],
        validate_only: false,
    }
}

fn names(image: &MetadataImage) -> Vec<String> {
    image.topics().map(|topic| topic.name.to_string()).collect()
}

/// A node with a broker and a topic.
fn with_topic(fs: &MemoryFs) -> MetadataNode {
    let mut node = open(fs, 1).expect("nothing is wrong");
    node.request(1, register(1, -1), 0);
    node.request(2, create("t"), 0);
    assert_eq!(run_jobs(fs, &mut node).answers.len(), 2);
    node
}

#[test]
fn an_opened_node_has_a_cluster_and_keeps_it() {
    let fs = MemoryFs::new();
    let node = with_topic(&fs);
    let image = Arc::clone(node.image());
    assert_eq!(image.cluster_id.len(), 22);
    let fs = fs.power_cut(1);
    let node = open(&fs, 2).expect("everything was synced");
    assert_eq!(*node.image(), image);
    assert_eq!(names(node.image()), ["t"]);
}

#[test]
fn the_operator_may_name_the_cluster_but_not_rename_it() {
    let fs = MemoryFs::new();
    let named = |id: &str| MetadataOptions {
        cluster_id: Some(id.into()),
        ..options(1)
    };
    let node = MetadataNode::open(&fs.shared(), named("mine")).expect("nothing is wrong");
    assert_eq!(node.image().cluster_id, "mine");
    drop(node);
    assert!(
        refusal(&fs.shared(), named("other")).contains("belongs to cluster mine, but this is cluster other")
    );
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let fs = MemoryFs::new();
    drop(with_topic(&fs));
    let other_node = MetadataOptions {
        node_id: BrokerId(2),
        ..options(1)
    };
    assert!(refusal(&fs.shared(), other_node).contains("belongs to node 1, but this is node 2"));
    let other_directory = MetadataOptions {
        directory_id: Uuid([8; 16]),
        ..options(1)
    };
    assert!(refusal(&fs.shared(), other_directory).contains("belongs to directory"));
    open(&fs, 2).expect("refusing changes nothing");
}

#[test]
fn a_directory_of_kafka_is_refused_with_a_word_on_what_to_do() {
    let fs = MemoryFs::new();
    fs.create_dir(Path::new("/data/__cluster_metadata-0")).unwrap();
    fs.create_dir(Path::new("/data/t-0")).unwrap();
    let said = refusal(&fs.shared(), options(1));
    assert!(
        said.contains("/data/__cluster_metadata-0 is the metadata log of a Kafka cluster"),
        "{said}"
    );
}

#[test]
fn partitions_without_metadata_are_refused() {
    let fs = MemoryFs::new();
    fs.create_dir(Path::new("/other/t-0")).unwrap();
    let log_dirs = vec![PathBuf::from(DIR), PathBuf::from("/other")];
    let said = refusal(
        &fs.shared(),
        MetadataOptions {
            log_dirs: log_dirs.clone(),
            ..options(1)
        },
    );
    assert!(
        said.contains("/other holds partitions, but there is no metadata log in /data/klamm-metadata"),
        "{said}"
    );
    assert!(!fs.exists(Path::new("/data/klamm-metadata")).unwrap());
}

#[test]
fn a_metadata_log_that_lost_something_is_refused() {
    let path = |name: &str| Path::new("/data/klamm-metadata").join(name);
    let log = path("00000000000000000000.log");
    let world = || {
        let fs = MemoryFs::new();
        drop(with_topic(&fs));
        // A second start knows that all of this was durable.
        drop(open(&fs, 2).expect("nothing is wrong"));
        fs
    };
    let fs = world();
    fs.remove(&path("quorum-state")).unwrap();
    assert!(refusal(&fs.shared(), options(3)).contains("quorum-state is missing"));
    let fs = world();
    fs.open(&log, Mode::Write).unwrap().set_len(70).unwrap();
    let said = refusal(&fs.shared(), options(3));
    assert!(
        said.contains("its log ends at entry 0") || said.contains("which was durable, is damaged"),
        "{said}"
    );
    for bit in [8 * 30, 8 * 100] {
        let fs = world();
        fs.flip_bit(&log, bit).unwrap();
        refusal(&fs.shared(), options(3));
    }
    let fs = world();
    fs.flip_bit(&path("quorum-state"), 8 * 70).unwrap();
    assert!(refusal(&fs.shared(), options(3)).contains("quorum-state: CRC"));
}

/// Asks for the same requests again and again, each seed with other ones, until the disk stops. Every answer is
/// remembered with the image it was given on.
fn work(fs: &MemoryFs, seed: u64) -> Option<Arc<MetadataImage>> {
    let mut random = Random::new(seed);
    let mut node = open(fs, random.draw()).ok()?;
    let mut promised = Arc::clone(node.image());
    for token in 0..12 {
        let request = any_request(&mut random, node.image());
        node.request(token, request, 0);
        if random.below(2) == 0 {
            let said = run_jobs(fs, &mut node);
            if said.failure.is_some() {
                break;
            }
            promised = Arc::clone(node.image());
        }
    }
    Some(promised)
}

#[test]
fn a_crash_at_any_call_loses_nothing_that_was_answered() {
    let mut crashes = BTreeMap::new();
    for seed in seeds(6) {
        for call in 0.. {
            let fs = MemoryFs::new();
            fs.create_dir(Path::new(DIR)).unwrap();
            fs.sync_dir(Path::new("/")).unwrap();
            let torn = usize::try_from(call % 97).unwrap();
            fs.fail_call(fs.calls() + call, Fault::Stop { torn });
            let promised = work(&fs, seed);
            let stopped = fs.is_stopped();
            fs.clear_fault();
            let fs = if call % 2 == 0 {
                fs.kill()
            } else {
                fs.power_cut(call)
            };
            let node = open(&fs, seed + 1_000).unwrap_or_else(|e| panic!("seed {seed}, call {call}: {e}"));
            if let Some(promised) = promised {
                assert_eq!(
                    promised.cluster_id,
                    node.image().cluster_id,
                    "seed {seed}, call {call}"
                );
                assert!(
                    node.image().next_producer_id >= promised.next_producer_id,
                    "seed {seed}, call {call}: producer ids would be given out twice"
                );
            }
            let again = Arc::clone(node.image());
            drop(node);
            let node = open(&fs.power_cut(call), seed + 2_000).expect("a start leaves everything synced");
            assert_eq!(*node.image(), again, "seed {seed}, call {call}");
            if !stopped {
                break;
            }
            *crashes.entry(seed).or_insert(0) += 1;
        }
    }
    assert!(crashes.values().all(|count| *count > 30), "{crashes:?}");
}

#[test]
fn a_full_disk_delays_answers_until_there_is_room() {
    let fs = MemoryFs::new();
    let mut node = with_topic(&fs);
    fs.set_capacity(0);
    for (token, name) in [(3, "u"), (4, "v")] {
        node.request(token, create(name), 0);
        assert!(run_jobs(&fs, &mut node).answers.is_empty());
    }
    node.tick();
    let said = run_jobs(&fs, &mut node);
    assert!(said.answers.is_empty() && said.failure.is_none());
    fs.set_capacity(u64::MAX);
    node.tick();
    let said = run_jobs(&fs, &mut node);
    assert_eq!(
        said.answers.iter().map(|(token, _)| *token).collect::<Vec<_>>(),
        [3, 4]
    );
    assert_eq!(names(node.image()), ["t", "u", "v"]);
    node.request(5, create("w"), 0);
    assert_eq!(run_jobs(&fs, &mut node).answers.len(), 1);
    let node = open(&fs.power_cut(1), 2).expect("everything is in order again");
    assert_eq!(names(node.image()), ["t", "u", "v", "w"]);
}

#[test]
fn a_failing_disk_ends_the_node_and_everyone_is_told() {
    let fs = MemoryFs::new();
    let mut node = with_topic(&fs);
    fs.fail_call(fs.calls(), Fault::Io);
    node.request(3, create("u"), 0);
    let said = run_jobs(&fs, &mut node);
    assert!(
        said.failure
            .is_some_and(|failure| failure.to_string().starts_with("metadata log:"))
    );
    let failed = |answers: &[(u64, ControllerResponse)]| {
        answers
            .iter()
            .all(|(_, r)| matches!(r, ControllerResponse::Refused(Refusal { code, .. }) if code.0 == -1))
    };
    assert!(said.answers.len() == 1 && failed(&said.answers));
    node.request(4, create("v"), 0);
    let said = run_jobs(&fs, &mut node);
    assert!(said.answers.len() == 1 && failed(&said.answers) && said.failure.is_none());
}

#[test]
fn a_long_log_is_replaced_by_a_snapshot() {
    let fs = MemoryFs::new();
    let mut node = with_topic(&fs);
    let epoch = node.image().broker(BrokerId(1)).expect("it is registered").epoch;
    for token in 0..10_000 {
        let request = ControllerRequest::AllocateProducerIds {
            broker_id: BrokerId(1),
            broker_epoch: epoch,
        };
        node.request(token, request, 0);
    }
    run_jobs(&fs, &mut node);
    let image = Arc::clone(node.image());
    assert_eq!(image.next_producer_id, 10_000_000);
    drop(node);
    let snapshot = Path::new("/data/klamm-metadata/image");
    drop(open(&fs, 2).expect("nothing is wrong"));
    assert!(fs.exists(snapshot).unwrap());
    let fs = fs.power_cut(1);
    let mut node = open(&fs, 3).expect("nothing is wrong");
    assert_eq!(*node.image(), image);
    node.request(1, create("u"), 0);
    run_jobs(&fs, &mut node);
    let node = open(&fs.power_cut(2), 4).expect("nothing is wrong");
    assert_eq!(names(node.image()), ["t", "u"]);
}

#[test]
fn the_real_file_system_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let on_disk = |seed| MetadataOptions {
        dir: dir.path().to_owned(),
        log_dirs: vec![dir.path().to_owned()],
        ..options(seed)
    };
    let first = MetadataNode::open(&fs, on_disk(1)).expect("nothing is wrong");
    let image = Arc::clone(first.image());
    drop(first);
    let second = MetadataNode::open(&fs, on_disk(2)).expect("nothing is wrong");
    assert_eq!(*second.image(), image);
}
