//! Random values, both ways, byte for byte as Kafka's own generated classes have them.
//!
//! `KLAMM_KAFKA` names a program. `$KLAMM_KAFKA oracle [--version V]` reads a question in JSON a line and answers it
//! with a line: `{"op":"list"}`, `{"op":"random","name","version","seed"}` -> `json`, `hex`;
//! `{"op":"roundtrip","name","version","hex"}` -> `json`, `hex`. `KLAMM_SEEDS` is 20 unless told. What 4.x does not
//! have any more is asked of 3.9. Without the variable nothing is checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use klamm_protocol::{Decoder, Kind, Versions, frame};
use serde_json::{Value, json};

use crate::codecs::{self, Codec};
use crate::json::{self, Random};
use crate::vectors;

const LAST_WITH_OLD_VERSIONS: &str = "3.9.2";
const SEEDS: u64 = 20;
/// Vectors that are kept of each message and version, and how long they may be in bytes.
const VECTORS: usize = 2;
const MAX_VECTOR_BYTES: usize = 400;

#[test]
fn random_values_are_byte_for_byte_kafkas() {
    let Some(mut oracles) = Oracle::start_all() else {
        return;
    };
    let seeds = std::env::var("KLAMM_SEEDS").map_or(SEEDS, |s| s.parse().expect("KLAMM_SEEDS is a number"));
    let mut cases = 0;
    let mut unknown = Vec::new();
    for codec in codecs::all() {
        for version in codec.schema.versions.iter() {
            let Some(oracle) = oracles.iter_mut().find(|o| o.knows(codec.name(), version)) else {
                unknown.push(format!("{} {version}", codec.name()));
                continue;
            };
            for seed in 0..seeds {
                kafka_to_us(&codec, version, seed, oracle);
                us_to_kafka(&codec, version, seed, oracle);
                cases += 2;
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "no Kafka that was asked has {}",
        unknown.join(", ")
    );
    eprintln!("{cases} random messages are Kafka's, byte for byte");
}

fn kafka_to_us(codec: &Codec, version: i16, seed: u64, oracle: &mut Oracle) {
    let name = codec.name();
    let question = json!({"op": "random", "name": name, "version": version, "seed": seed});
    let answer = oracle.ask(&question);
    let hex = answer["hex"]
        .as_str()
        .unwrap_or_else(|| panic!("{question} -> {answer}"));
    let bytes = json::from_hex(hex);
    let mut input = Decoder::new(bytes.clone());
    let read = json::read(codec.schema, version, &mut input).unwrap_or_else(|e| panic!("{question}: {e}"));
    assert!(
        same(&read, &answer["json"]),
        "{question}\nours    {read}\nKafka's {}",
        answer["json"]
    );
    let (written, left) = (codec.round_trip)(bytes, version).unwrap_or_else(|e| panic!("{question}: {e}"));
    assert_eq!((json::hex(&written).as_str(), left), (hex, 0), "{question}");
}

fn us_to_kafka(codec: &Codec, version: i16, seed: u64, oracle: &mut Oracle) {
    let name = codec.name();
    let value = json::random(codec.schema, version, &mut Random(seed));
    let bytes = json::write(codec.schema, version, &value);
    // A tagged field that happens to be at its default is there in `bytes`, and nowhere else.
    let (written, left) = (codec.round_trip)(bytes, version)
        .unwrap_or_else(|e| panic!("{name} {version}, our seed {seed}: {e}\n{value}"));
    assert_eq!(left, 0, "{name} {version}, our seed {seed}");
    let read = json::read(codec.schema, version, &mut Decoder::new(written.clone())).expect("we wrote it");
    let hex = json::hex(&written);
    let question = json!({"op": "roundtrip", "name": name, "version": version, "hex": hex});
    let answer = oracle.ask(&question);
    assert!(
        same(&read, &answer["json"]),
        "our seed {seed}, {question}\nours {read}\nKafka's {answer}"
    );
    assert_eq!(answer["hex"], hex, "our seed {seed}, {question}");
}

#[test]
fn headers_have_kafkas_versions() {
    let Some(mut oracles) = Oracle::start_all() else {
        return;
    };
    for oracle in &mut oracles {
        for api in oracle.ask(&json!({"op": "list"}))["apis"]
            .as_array()
            .expect("a list of APIs")
        {
            for row in api["versions"].as_array().expect("a list of versions") {
                let number = |v: &Value| i16::try_from(v.as_i64().expect("a number")).expect("an int16");
                let (key, version) = (number(&api["key"]), number(&row["version"]));
                let ours = (
                    frame::request_header_version(key, version),
                    frame::response_header_version(key, version),
                );
                let theirs = (
                    Some(number(&row["requestHeader"])),
                    Some(number(&row["responseHeader"])),
                );
                assert_eq!(ours, theirs, "headers of {} {version}", api["name"]);
            }
        }
    }
}

#[test]
fn vectors_are_what_kafka_writes() {
    let Some(mut oracles) = Oracle::start_all() else {
        return;
    };
    let mut files = BTreeMap::new();
    for codec in codecs::all() {
        let kind = match codec.schema.kind {
            Kind::Request => "requests",
            Kind::Response => "responses",
            Kind::Header | Kind::Data => "stored",
        };
        let text: &mut String = files.entry(kind).or_default();
        for version in codec.schema.versions.iter() {
            let oracle = oracles.iter_mut().find(|o| o.knows(codec.name(), version));
            for hex in vectors_of(&codec, version, oracle.expect("some Kafka has it")) {
                writeln!(text, "{} {version} {hex}", codec.name()).expect("a String takes everything");
            }
        }
    }
    for (kind, text) in files {
        vectors::compare_or_update(kind, &text);
    }
}

/// The first few random messages that are short, and not the same.
fn vectors_of(codec: &Codec, version: i16, oracle: &mut Oracle) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for seed in 0..40 {
        let question = json!({"op": "random", "name": codec.name(), "version": version, "seed": seed});
        let answer = oracle.ask(&question);
        let hex = answer["hex"]
            .as_str()
            .unwrap_or_else(|| panic!("{question} -> {answer}"))
            .to_owned();
        // A message of a few bytes is one whose arrays are all empty.
        let telling = hex.len() > 16 || codec.schema.body.fields.len() < 3 || seed > 20;
        if telling && hex.len() <= 2 * MAX_VECTOR_BYTES && !kept.contains(&hex) {
            kept.push(hex);
        }
        if kept.len() == VECTORS {
            break;
        }
    }
    kept
}

/// Equal but for the last digits of numbers with a fraction.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(v, w)| same(v, w)),
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().expect("a number"), b.as_f64().expect("a number"));
            (a - b).abs() <= a.abs() * 1e-12
        }
        _ => ours == theirs,
    }
}

/// A Kafka that answers.
struct Oracle {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    versions: BTreeMap<String, Versions>,
}

impl Oracle {
    /// The present Kafka, and the last one with the old versions; `None` when there is none to ask.
    fn start_all() -> Option<Vec<Oracle>> {
        let Some(program) = std::env::var_os("KLAMM_KAFKA") else {
            eprintln!("skipped: KLAMM_KAFKA names no program that starts Kafka's codec");
            return None;
        };
        let arguments: [&[&str]; 2] = [&["oracle"], &["oracle", "--version", LAST_WITH_OLD_VERSIONS]];
        Some(
            arguments
                .iter()
                .map(|arguments| Oracle::start(&program, arguments))
                .collect(),
        )
    }

    fn start(program: &std::ffi::OsStr, arguments: &[&str]) -> Oracle {
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let questions = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut oracle = Oracle {
            process,
            questions,
            answers,
            versions: BTreeMap::new(),
        };
        let list = oracle.ask(&json!({"op": "list"}));
        for schema in list["schemas"]
            .as_array()
            .unwrap_or_else(|| panic!("no schemas: {list}"))
        {
            let text = schema["versions"].as_str().expect("versions are text");
            let number = |s: &str| s.parse().unwrap_or_else(|_| panic!("no versions: {text}"));
            let versions = match text.split_once('-') {
                _ if text == "none" => Versions::NONE,
                Some((min, max)) => Versions {
                    min: number(min),
                    max: number(max),
                },
                None => Versions {
                    min: number(text),
                    max: number(text),
                },
            };
            oracle
                .versions
                .insert(schema["name"].as_str().expect("a name").to_owned(), versions);
        }
        oracle
    }

    fn knows(&self, name: &str, version: i16) -> bool {
        self.versions
            .get(name)
            .is_some_and(|versions| versions.contains(version))
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.questions, "{question}").expect("the oracle reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the oracle answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{question} -> {line:?}: {error}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // Killed, not only closed: after a failure it might still be writing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
