//! Starts and ends of a broker on disks that fail at any call, and on small files with a bit flipped. `/a` holds the
//! metadata log and partition 0 of `t`, `/b` partition 1.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use klamm_protocol::ErrorCode;
use klamm_protocol::messages::fetch::FetchRequest;
use klamm_storage::sys::memory::{Fault, MemoryFs};
use klamm_storage::sys::{self, Fs, Mode};

use super::log::{fetch, fetched, partitions_of, produce, values};
use super::{Harness, batch};
use crate::Event;
use crate::router::Response;
use crate::startup::StartError;

const NONE: ErrorCode = ErrorCode::NONE;

/// More than any request waits.
const PATIENCE_MS: u64 = 10_000;

/// All that lies on a disk, to begin with it again and again.
struct Image(Vec<(PathBuf, Bytes)>);

impl Image {
    fn of(fs: &MemoryFs) -> Image {
        let (mut files, mut dirs) = (Vec::new(), vec![PathBuf::from("/")]);
        while let Some(dir) = dirs.pop() {
            for entry in fs.list_dir(&dir).expect("it is there") {
                let path = dir.join(&entry.name);
                if entry.is_dir {
                    dirs.push(path);
                } else {
                    let content = sys::read_all(fs, &path, 1 << 20).expect("files are small");
                    files.push((path, content.into()));
                }
            }
        }
        Image(files)
    }

    fn disk(&self) -> MemoryFs {
        let fs = MemoryFs::new();
        for (path, content) in &self.0 {
            fs.create_dir(path.parent().expect("a file lies in a directory"))
                .expect("there is room");
            let file = fs.open(path, Mode::Create).expect("there is room");
            file.write_at(0, std::slice::from_ref(content))
                .expect("there is room");
        }
        fs.sync_all(Path::new("/")).expect("it takes all");
        fs
    }
}

fn start(disk: &MemoryFs) -> Result<Harness, StartError> {
    let settings = [("klamm.reserve.bytes", "1000"), ("num.partitions", "1")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut harness = Harness::try_open(disk.clone(), settings.into(), None)?;
    harness.pass_ms(1_000);
    Ok(harness)
}

/// What a broker leaves that was given records, after a clean shutdown and after it was killed; and the records.
fn images() -> ([Image; 2], [Vec<String>; 2]) {
    let records = ["a", "b"].map(|name| (0..3).map(|n| format!("{name}{n}")).collect::<Vec<_>>());
    let images = [true, false].map(|clean| {
        let mut harness = start(&MemoryFs::new()).expect("an empty disk");
        harness.create_topic("t", 2, &[("flush.messages", "1")]);
        for (partition, values) in (0..).zip(&records) {
            for value in values {
                assert_eq!(append(&mut harness, partition, value), NONE);
            }
        }
        harness.pass_ms(120_000);
        if clean {
            harness.event(Event::Shutdown);
            assert!(harness.stopped);
        }
        Image::of(&harness.disk.kill())
    });
    (images, records)
}

fn append(harness: &mut Harness, partition: i32, value: &str) -> ErrorCode {
    let request = harness.send(9, &produce(-1, &[(partition, batch(&[value]))]));
    partitions_of(answer(harness, request))[0].error_code
}

fn answer(harness: &mut Harness, request: u64) -> Response {
    if let Some(answer) = harness.answer(request) {
        return answer;
    }
    harness.pass_ms(PATIENCE_MS);
    harness.answer(request).expect("its time is over")
}

/// All records of a partition, each of which is a batch.
fn read(harness: &mut Harness, partition: i32) -> Result<Vec<String>, ErrorCode> {
    let mut found = Vec::new();
    loop {
        let mut request: FetchRequest = fetch(found.len() as i64, 0, 1);
        request.topics[0].partitions[0].partition = partition;
        let request = harness.send(11, &request);
        let response = fetched(answer(harness, request));
        match response.responses[0].partitions[0].error_code {
            NONE => {}
            code => return Err(code),
        }
        let more = values(&response);
        if more.is_empty() {
            return Ok(found);
        }
        found.extend(more);
    }
}

/// Both partitions hold at least these records, in this order, and take more.
fn check(harness: &mut Harness, records: &[Vec<String>; 2], context: &str) {
    for (partition, acknowledged) in (0..).zip(records) {
        let found = read(harness, partition).unwrap_or_else(|code| panic!("{context}: {code:?}"));
        let mut rest = found.iter();
        let is_there = |value: &String| rest.any(|found| found == value);
        assert!(
            acknowledged.iter().all(is_there),
            "{context}: {found:?} of {acknowledged:?}"
        );
        assert_eq!(append(harness, partition, "more"), NONE, "{context}");
    }
}

#[test]
fn a_fault_at_any_call_of_a_start_and_a_clean_stop_loses_nothing_that_was_acknowledged() {
    let (images, records) = images();
    let (mut refused, mut served) = (0, 0);
    for (image, kind) in images.iter().zip(["clean", "killed"]) {
        let calls = {
            let disk = image.disk();
            let before = disk.calls();
            let mut harness = start(&disk).expect("there is nothing wrong");
            harness.event(Event::Shutdown);
            disk.calls() - before
        };
        for fault in [Fault::Io, Fault::NoSpace, Fault::Stop { torn: 3 }] {
            for call in 0..calls {
                let context = format!("{fault:?} at call {call} after a {kind} end");
                let disk = image.disk();
                let mut records = records.clone();
                disk.fail_call(disk.calls() + call, fault);
                match start(&disk) {
                    Err(error) => {
                        let error = error.to_string();
                        let names_a_place = error.contains("/a") || error.contains("/b");
                        assert!(names_a_place, "{context}: {error}");
                        refused += 1;
                    }
                    Ok(mut harness) => {
                        for (partition, records) in (0..).zip(&mut records) {
                            if append(&mut harness, partition, "late") == NONE {
                                records.push("late".to_owned());
                            }
                        }
                        let read = [0, 1].map(|partition| read(&mut harness, partition));
                        let unserved = read.iter().filter(|read| read.is_err()).count();
                        let has_ended = harness.failed.is_some() || disk.is_stopped();
                        assert!(unserved < 2 || has_ended, "{context}: {read:?}");
                        served += usize::from(unserved == 0);
                        harness.event(Event::Shutdown);
                        harness.pass_ms(PATIENCE_MS);
                        assert!(
                            harness.stopped || harness.failed.is_some() || disk.is_stopped(),
                            "{context}"
                        );
                    }
                }
                let disk = match fault {
                    Fault::Stop { .. } => disk.power_cut(call),
                    _ => disk.kill(),
                };
                let mut harness = start(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
                check(&mut harness, &records, &context);
            }
        }
    }
    assert!(refused > 50 && served > 50, "{refused} refused, {served} served");
}

#[test]
fn a_flipped_bit_in_a_small_file_loses_nothing_that_was_acknowledged() {
    let (images, records) = images();
    let (mut refused, mut started) = (0, 0);
    for (image, kind) in images.iter().zip(["clean", "killed"]) {
        for (file, content) in &image.0 {
            let name = file.file_name().and_then(|name| name.to_str()).expect("text");
            // What else lies in a log's directory, the tests of logs look at.
            let of_a_log = name != "partition.metadata"
                && (["/a/t-0", "/b/t-1"].iter().any(|dir| file.starts_with(dir))
                    || name.ends_with(".log")
                    || name.ends_with("index"));
            if of_a_log {
                continue;
            }
            // Two bits of each byte: one that makes another digit of a digit, and one that does not.
            for bit in (0..content.len()).flat_map(|byte| [byte * 8 + byte % 4, byte * 8 + 4 + byte % 4]) {
                let context = format!("bit {bit} of {} after a {kind} end", file.display());
                let disk = image.disk();
                disk.flip_bit(file, bit).expect("it is there");
                match start(&disk) {
                    Err(error) => {
                        let error = error.to_string();
                        // Of two files that contradict each other, nobody knows which is right.
                        let is_clear = error.contains(name) || error.contains("belongs to");
                        assert!(is_clear, "{context}: {error}");
                        refused += 1;
                    }
                    Ok(mut harness) => {
                        started += 1;
                        assert!(harness.failed.is_none(), "{context}: {:?}", harness.failed);
                        let served = [0, 1].map(|partition| read(&mut harness, partition));
                        for (served, records) in served.into_iter().zip(&records) {
                            match served {
                                Ok(found) => assert_eq!(found, *records, "{context}"),
                                Err(ErrorCode::KAFKA_STORAGE_ERROR) => {
                                    let named = ["partition.metadata", "log-start-offset-checkpoint"];
                                    assert!(named.contains(&name), "{context}");
                                }
                                // Where a log starts, nobody else says.
                                Err(ErrorCode::OFFSET_OUT_OF_RANGE) => {
                                    assert_eq!(name, "log-start-offset-checkpoint", "{context}");
                                }
                                Err(code) => panic!("{context}: {code:?}"),
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(
        refused > 50 && started > 50,
        "{refused} refused, {started} started"
    );
}
