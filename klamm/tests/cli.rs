//! The command line against the running broker, as somebody at a terminal meets it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod running;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

use klamm_protocol::frame::encode_request;
use klamm_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use running::{Broker, read_frame};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A broker where a group waits for nobody else when it begins.
fn broker() -> Broker {
    Broker::start(&["group.initial.rebalance.delay.ms=0"])
}

/// The command line `words`, for this broker.
fn command(broker: &Broker, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    command
        .env_clear()
        .env("KLAMM_BOOTSTRAP", broker.address.to_string())
        .args(words.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn output(broker: &Broker, words: &str, input: &str) -> Output {
    let mut child = command(broker, words).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What it writes when all goes well.
#[track_caller]
fn says(broker: &Broker, words: &str) -> String {
    takes(broker, words, "")
}

#[track_caller]
fn takes(broker: &Broker, words: &str, input: &str) -> String {
    let output = output(broker, words, input);
    assert!(output.status.success(), "{words}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn json_of(broker: &Broker, words: &str) -> Value {
    serde_json::from_str(&says(broker, &format!("{words} --format json"))).unwrap()
}

/// What it writes when it fails.
#[track_caller]
fn fails(broker: &Broker, words: &str) -> String {
    let output = output(broker, words, "");
    assert_eq!(output.status.code(), Some(1), "{words}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

#[test]
fn a_topic_is_created_listed_described_altered_and_deleted() {
    let broker = broker();
    says(
        &broker,
        "topic create t --partitions 2 --config retention.ms=3600000",
    );
    assert!(fails(&broker, "topic create t").contains("--if-not-exists"));
    let again = json_of(&broker, "topic create t u --if-not-exists");
    assert_eq!(
        again,
        json!([{"topic": "t", "result": "was there"}, {"topic": "u", "result": "created"}])
    );
    let listed = json_of(&broker, "topic list");
    assert_eq!(
        (&listed[0]["topic"], &listed[0]["partitions"]),
        (&json!("t"), &json!(2))
    );
    takes(&broker, "produce t --partition 1", "x\ny\n");
    says(
        &broker,
        "topic alter t --partitions 3 --config retention.ms=7200000",
    );
    let described = json_of(&broker, "topic describe t");
    let ends: Vec<_> = described[0]["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|partition| &partition["end"])
        .collect();
    assert_eq!(ends, [0, 2, 0]);
    let own = &described[0]["configurations_of_its_own"];
    assert_eq!(*own, json!([{"config": "retention.ms", "value": "7200000"}]));
    says(&broker, "topic alter t --unset retention.ms");
    assert!(says(&broker, "topic describe t").contains("no configurations of its own"));

    let deleted = output(&broker, "topic delete t nope", "");
    assert_eq!(deleted.status.code(), Some(1));
    assert!(
        String::from_utf8(deleted.stdout)
            .unwrap()
            .contains("t      deleted")
    );
    assert!(
        String::from_utf8(deleted.stderr)
            .unwrap()
            .contains("topic nope does not exist")
    );
    assert_eq!(says(&broker, "topic list").lines().count(), 2);
}

#[test]
fn lines_go_in_with_keys_and_headers_in_every_codec_and_come_out_byte_by_byte() {
    let broker = broker();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let produce =
            format!("produce {codec} --key-separator := --header a=1 --header b= --compression {codec}");
        let said = takes(&broker, &produce, "k:=v\n:=no key:=\nlast:=without an end");
        assert_eq!(said, format!("3 records written to {codec}\n"));
        let consume = format!("consume {codec} --from-beginning --until-end");
        assert_eq!(says(&broker, &consume), "v\nno key:=\nwithout an end\n");
        let with_keys = says(&broker, &format!("{consume} --key-separator /"));
        assert_eq!(with_keys, "k/v\n/no key:=\nlast/without an end\n");
        let lines = says(&broker, &format!("{consume} --format json"));
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!((&first["key"], &first["value"]), (&json!("k"), &json!("v")));
        assert_eq!(
            first["headers"],
            json!([{"name": "a", "value": "1"}, {"name": "b", "value": ""}])
        );
    }
}

#[test]
fn bytes_that_are_no_text_stand_in_json_as_hex() {
    let broker = broker();
    let mut child = command(&broker, "produce t").spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"\xff\x00\n").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    let line = says(&broker, "consume t --from-beginning --until-end --format json");
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["value_hex"], "ff00");
    assert_eq!((record.get("value"), &record["key"]), (None, &Value::Null));
}

#[test]
fn reading_begins_where_it_is_told_to_and_ends_after_as_many_as_wanted() {
    let broker = broker();
    takes(&broker, "produce t", "0\n1\n2\n3\n");
    for (words, expected) in [
        ("--from-beginning --until-end", "0\n1\n2\n3\n"),
        ("--offset 2 --until-end", "2\n3\n"),
        ("--offset 1 --max-messages 2", "1\n2\n"),
        ("--timestamp 1h --until-end", "0\n1\n2\n3\n"),
        ("--timestamp 99999999999999 --until-end", ""),
        ("--partition 0 --timestamp 0 --max-messages 1", "0\n"),
        ("--until-end", ""),
        ("--from-beginning --max-messages 0", ""),
    ] {
        assert_eq!(says(&broker, &format!("consume t {words}")), expected, "{words}");
    }
}

#[test]
fn a_group_commits_exactly_what_was_written_out() {
    let broker = broker();
    takes(&broker, "produce t", "0\n1\n2\n3\n");
    let consume = "consume t --group g --from-beginning";
    assert_eq!(says(&broker, &format!("{consume} --max-messages 3")), "0\n1\n2\n");
    let lag = json_of(&broker, "group lag g");
    assert_eq!((&lag[0]["committed"], &lag[0]["lag"]), (&json!(3), &json!(1)));
    assert_eq!(says(&broker, &format!("{consume} --until-end")), "3\n");
    assert_eq!(says(&broker, &format!("{consume} --until-end")), "");
}

#[test]
fn ctrl_c_ends_reading_in_good_order_the_group_is_left_and_its_place_kept() {
    let broker = broker();
    takes(&broker, "produce t", "0\n1\n");
    let mut child = command(&broker, "consume t --group g --from-beginning")
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "0");
    assert_eq!(lines.next().unwrap().unwrap(), "1");
    let described = json_of(&broker, "group describe g");
    assert_eq!(described["state"], "Stable");
    assert_eq!(described["members"][0]["partitions"], json!(["t:0"]));
    assert!(fails(&broker, "group delete g").contains("stop its members first"));
    let moved = fails(&broker, "group reset-offsets g --all-topics --to-earliest");
    assert!(
        moved.contains("stop its members first") || moved.contains("committed nothing"),
        "{moved}"
    );
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(json_of(&broker, "group describe g")["state"], "Empty");
    assert_eq!(json_of(&broker, "group lag g")[0]["committed"], 2);
}

#[test]
fn ctrl_c_ends_writing_and_what_was_typed_is_written() {
    let broker = broker();
    says(&broker, "topic create t");
    let mut child = command(&broker, "produce t").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"typed\n").unwrap();
    // It is in the log, so the line was taken before the signal comes.
    assert_eq!(
        says(&broker, "consume t --from-beginning --max-messages 1"),
        "typed\n"
    );
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"1 record written to t\n");
    drop(input);
}

#[test]
fn who_closes_the_pipe_has_seen_enough() {
    let broker = broker();
    takes(&broker, "produce t", "0\n");
    let mut child = command(&broker, "consume t --from-beginning").spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_line_without_the_separator_is_told_by_its_number_and_those_before_it_are_written() {
    let broker = broker();
    let output = output(&broker, "produce t --key-separator :", "a:1\nb2\nc:3\n");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("klamm: line 2 has no \":\""), "{said}");
    assert_eq!(says(&broker, "consume t --from-beginning --until-end"), "1\n");
}

#[test]
fn offsets_of_a_group_are_moved_to_what_is_there_and_a_dry_run_moves_nothing() {
    let broker = broker();
    takes(&broker, "produce t", "0\n1\n2\n3\n");
    let committed = || json_of(&broker, "group lag g")[0]["committed"].clone();
    says(&broker, "group reset-offsets g --topic t --to-latest");
    assert_eq!(committed(), 4);
    let shown = json_of(
        &broker,
        "group reset-offsets g --all-topics --to-earliest --dry-run",
    );
    assert_eq!(
        shown,
        json!([{"topic": "t", "partition": 0, "before": 4, "after": 0}])
    );
    assert_eq!(committed(), 4);
    for (words, expected) in [
        ("--topic t:0 --to-offset 2", 2),
        ("--topic t --to-offset 99", 4),
        ("--all-topics --to-earliest", 0),
        ("--all-topics --to-timestamp 99999999999999", 4),
        ("--all-topics --to-timestamp 1h", 0),
    ] {
        says(&broker, &format!("group reset-offsets g {words}"));
        assert_eq!(committed(), expected, "{words}");
    }
    assert_eq!(json_of(&broker, "group list")[0]["group"], "g");
    says(&broker, "group delete g");
    assert_eq!(json_of(&broker, "group list"), json!([]));
}

#[test]
fn configurations_are_shown_with_their_source_set_and_unset() {
    let broker = broker();
    says(&broker, "topic create t");
    let read = || json_of(&broker, "config get --topic t retention.ms")[0].clone();
    let before = read();
    assert_eq!(before["from"], "default");
    says(
        &broker,
        "config set --topic t retention.ms=1234567 segment.bytes=2097152",
    );
    assert_eq!(
        (&read()["value"], &read()["from"]),
        (&json!("1234567"), &json!("topic"))
    );
    let own = json_of(&broker, "config get --topic t --own");
    assert_eq!(own.as_array().unwrap().len(), 2);
    says(&broker, "config unset --topic t retention.ms segment.bytes");
    assert_eq!(read(), before);
    let all = json_of(&broker, "config get --broker 1");
    assert!(all.as_array().unwrap().len() > 50);
}

#[test]
fn the_cluster_and_what_it_serves_are_shown() {
    let broker = broker();
    let cluster = json_of(&broker, "cluster");
    assert_eq!(cluster["brokers"][0]["address"], broker.address.to_string());
    assert_eq!(cluster["log_dirs"][0]["broker"], cluster["brokers"][0]["broker"]);
    assert_eq!(cluster["old_clients"], json!([]));
    let here = json_of(&broker, "api-versions");
    let there = json_of(&broker, &format!("api-versions --bootstrap {}", broker.address));
    let produce = |versions: &Value| {
        let all = versions.as_array().unwrap();
        all.iter().find(|api| api["key"] == 0).unwrap().clone()
    };
    assert_eq!(produce(&here)["api"], "Produce");
    assert_eq!(produce(&here)["max"], produce(&there)["max"]);
}

#[test]
fn the_cluster_names_clients_of_old_versions_and_what_they_cost() {
    let broker = broker();
    says(&broker, "topic create t");
    takes(&broker, "produce t", "a\nb\n");
    let mut stream = broker.connect();
    let fetch = FetchRequest {
        topics: vec![FetchTopic {
            topic: "t".into(),
            partitions: vec![FetchPartition {
                partition_max_bytes: 1 << 20,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let client_id = Some("grandfather".into());
    let frame = encode_request(1, 2, 7, client_id.as_ref(), &fetch).unwrap();
    stream.write_all(&frame.concat()).unwrap();
    read_frame(&mut stream).unwrap();
    let cluster = json_of(&broker, "cluster");
    let [used] = &cluster["old_clients"].as_array().unwrap()[..] else {
        panic!("one client, and not this one: {cluster}");
    };
    let expected = json!({
        "broker": 1, "client": "grandfather", "software": "", "api": "Fetch", "version": 2, "requests": 1,
        "converted_records": 2,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(used[name], *value, "{name}");
    }
    assert!(used["since"].as_i64().unwrap() > 0 && used["converted_bytes"].as_i64().unwrap() > 0);
    assert_eq!(cluster["further_old_requests"], 0);
    let said = says(&broker, "cluster");
    assert!(said.contains("s ago"), "{said}");
}

#[test]
fn an_option_says_where_the_cluster_is_louder_than_the_environment() {
    let (one, other) = (broker(), broker());
    says(&one, "topic create of-one");
    let words = format!("topic list --bootstrap-server {}", one.address);
    assert!(says(&other, &words).contains("of-one"));
    assert!(!says(&other, "topic list").contains("of-one"));
}

#[test]
fn what_goes_wrong_is_told_with_what_to_do() {
    let broker = broker();
    says(&broker, "topic create t");
    for (words, problem, advice) in [
        (
            "topic describe nope",
            "topic nope does not exist",
            "`klamm topic list`",
        ),
        (
            "consume nope",
            "topic nope does not exist",
            "`klamm topic create`",
        ),
        (
            "consume t --partition 7",
            "topic t has no partition 7",
            "`klamm topic describe t`",
        ),
        (
            "produce t --partition 7",
            "topic t has no partition 7",
            "counted from 0",
        ),
        ("group lag nope", "there is no group nope", "`klamm group list`"),
        ("group delete nope", "deleting group nope", "`klamm group list`"),
        (
            "group reset-offsets nope --all-topics --to-latest",
            "committed nothing",
            "--topic",
        ),
        (
            "config set --topic t retention.ms=much",
            "retention.ms",
            "`klamm settings --topic NAME`",
        ),
        (
            "config get --topic t retention",
            "no configuration retention",
            "shows all",
        ),
        (
            "topic create u --replication-factor 3",
            "creating topic u",
            "`klamm cluster`",
        ),
        (
            "topic list --bootstrap nowhere",
            "\"nowhere\" is no address",
            "127.0.0.1:9092",
        ),
        (
            "topic list --bootstrap 127.0.0.1:1",
            "no broker answers at 127.0.0.1:1",
            "--bootstrap HOST:PORT",
        ),
    ] {
        let input = if words.starts_with("produce") { "x\n" } else { "" };
        let output = output(&broker, words, input);
        assert_eq!(output.status.code(), Some(1), "{words}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.lines().all(|line| line.starts_with("klamm: ")), "{said}");
        assert!(said.contains(problem) && said.contains(advice), "{words}: {said}");
    }
}

#[test]
fn arguments_that_contradict_one_another_or_say_nothing_are_refused() {
    let broker = broker();
    for words in [
        "topic",
        "topic alter t",
        "topic create",
        "topic create t --partitions 0",
        "topic create t --config retention.ms",
        "consume",
        "consume t --from-beginning --offset 3",
        "consume t --group g --offset 3",
        "consume t --timestamp yesterday",
        "produce t --compression best",
        "group reset-offsets g --to-latest",
        "group reset-offsets g --topic t",
        "group reset-offsets g --topic t:x --to-latest",
        "group reset-offsets g --topic t --to-latest --to-earliest",
        "config get",
        "config get --topic t --broker 1",
    ] {
        let output = output(&broker, words, "");
        assert_eq!(output.status.code(), Some(2), "{words}: {output:?}");
    }
}

#[test]
fn every_shell_can_complete_command_lines() {
    let broker = broker();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(says(&broker, &format!("completions {shell}")).contains("reset-offsets"));
    }
}
