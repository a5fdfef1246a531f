//! How the broker starts and ends, and what it says when it cannot start.

mod running;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use running::{Broker, api_versions, correlation_id, framed, header, is_closed, read_frame};

/// Runs the binary to its end, with arguments and environment variables.
fn run(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    command
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(dir)
        .args(arguments);
    command.output().expect("the binary starts")
}

/// The lines that say why it did not start.
fn refusal(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = run(dir, arguments, environment);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr).expect("it writes UTF-8");
    text.lines()
        .filter(|line| line.starts_with("klamm: "))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_first_start_says_version_directory_and_address_in_a_line_each() {
    let broker = Broker::start(&[]);
    let version = format!("klamm {}", env!("CARGO_PKG_VERSION"));
    let directory = format!("data directory {}", broker.data.path().join("data").display());
    let address = format!("listening on PLAINTEXT://{}", broker.address);
    for words in [&version, &directory, &address] {
        assert!(
            broker.log.iter().any(|line| line.contains(words.as_str())),
            "{words} in {:?}",
            broker.log
        );
    }
    assert_ne!(broker.address.port(), 0);
    broker.serves();
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_goes() {
    let mut command = Command::new("/bin/sh");
    let limited = "ulimit -Sn 256; ulimit -Hn 1000; exec \"$0\" \"$@\"";
    command.args(["-c", limited, env!("CARGO_BIN_EXE_klamm")]);
    let broker = Broker::start_by(command, tempfile::tempdir().unwrap(), &[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", broker.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let words: Vec<&str> = line.expect("Linux tells").split_whitespace().collect();
    assert_eq!(words[3..5], ["1000", "1000"]);
    broker.serves();
}

/// Before the broker is registered, nothing is known: kafka-python 2.2 takes an answer without brokers for the end.
#[test]
fn the_first_client_already_finds_the_broker_in_the_metadata() {
    for _ in 0..10 {
        let broker = Broker::start(&[]);
        let mut stream = broker.connect();
        let all_topics = 0i32.to_be_bytes();
        let request = [header(3, 0, 7), all_topics.to_vec()].concat();
        stream.write_all(&framed(&request)).unwrap();
        let answer = read_frame(&mut stream).unwrap();
        let brokers = i32::from_be_bytes(answer[4..8].try_into().unwrap());
        assert_eq!(brokers, 1);
    }
}

#[test]
fn sigterm_ends_it_in_good_order_and_the_data_directory_can_be_used_again() {
    let mut broker = Broker::start(&[]);
    let mut stream = broker.connect();
    stream.write_all(&api_versions(1)).unwrap();
    assert_eq!(correlation_id(&read_frame(&mut stream).unwrap()), 1);
    let data = broker.take_data();
    broker.terminate();
    assert_eq!(broker.ended(), Some(0));
    assert!(is_closed(&mut stream));
    Broker::start_in(data, &[]).serves();
}

#[test]
fn a_signal_that_comes_twice_at_once_is_one() {
    let mut broker = Broker::start(&[]);
    broker.terminate();
    broker.terminate();
    assert_eq!(broker.ended(), Some(0));
}

#[test]
fn a_taken_port_is_told_with_what_to_do() {
    let broker = Broker::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let listeners = format!("listeners=PLAINTEXT://{}", broker.address);
    let said = refusal(dir.path(), &["--override", &listeners], &[]);
    assert!(
        said.contains("already in use") && said.contains("choose another port"),
        "{said}"
    );
    assert!(
        !dir.path().join("klamm-data").exists(),
        "nothing is created for a broker that does not start"
    );
}

#[test]
fn a_directory_of_a_running_broker_is_not_used() {
    let broker = Broker::start(&[]);
    let log_dirs = format!("log.dirs={}", broker.data.path().join("data").display());
    let said = refusal(
        broker.data.path(),
        &[
            "--override",
            "listeners=PLAINTEXT://127.0.0.1:0",
            "--override",
            &log_dirs,
        ],
        &[],
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("in use by another process: stop it"), "{said}");
}

#[test]
fn a_directory_that_cannot_be_used_is_told_in_one_line_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("klamm-data"),
        "a file where a directory should be",
    )
    .unwrap();
    let said = refusal(
        dir.path(),
        &["--override", "listeners=PLAINTEXT://127.0.0.1:0"],
        &[],
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("klamm-data cannot be used: ") && said.contains("log.dirs"),
        "{said}"
    );
}

#[test]
fn what_belongs_to_somebody_else_is_left_alone_and_the_way_out_is_told() {
    let local = "listeners=PLAINTEXT://127.0.0.1:0";
    let dir = tempfile::tempdir().unwrap();
    let meta = dir.path().join("klamm-data/meta.properties");
    std::fs::create_dir(dir.path().join("klamm-data")).unwrap();
    std::fs::write(&meta, "version=1\ncluster.id=x\nnode.id=1\n").unwrap();
    let said = refusal(dir.path(), &["--override", local], &[]);
    assert!(said.contains("not written by Klamm: name another"), "{said}");

    let mut broker = Broker::start(&[]);
    broker.terminate();
    assert_eq!(broker.ended(), Some(0));
    let log_dirs = format!("log.dirs={}", broker.data.path().join("data").display());
    let other = [
        "--override",
        local,
        "--override",
        &log_dirs,
        "--override",
        "node.id=7",
    ];
    let said = refusal(dir.path(), &other, &[]);
    assert!(
        said.contains("this is node 7: set node.id=1, or name another"),
        "{said}"
    );

    let elsewhere = "listeners=PLAINTEXT://192.0.2.1:9092";
    let said = refusal(dir.path(), &["--override", elsewhere], &[]);
    assert!(
        said.contains("192.0.2.1:9092 is no address of this machine: "),
        "{said}"
    );
}

#[test]
fn what_is_logged_can_be_chosen_for_a_module_and_a_wrong_choice_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let said = refusal(dir.path(), &[], &[("KLAMM_LOG", "info,klamm_storage=everything")]);
    assert!(
        said.contains("KLAMM_LOG") && said.contains("allowed: error"),
        "{said}"
    );
    // Nothing but what the storage says, and it has nothing to say of this.
    let quiet = [("KLAMM_LOG", "error,klamm_storage=debug")];
    let output = run(
        dir.path(),
        &["--override", "listeners=PLAINTEXT://192.0.2.1:9092"],
        &quiet,
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
}

#[test]
fn mistakes_in_a_file_are_told_with_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("server.properties");
    std::fs::write(
        &file,
        "# ours\nnode.id=one\nauthorizer.class.name=org.example.Authorizer\n",
    )
    .unwrap();
    let said = refusal(dir.path(), &["server.properties"], &[]);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(
        lines[0].starts_with("klamm: server.properties:2: node.id: "),
        "{said}"
    );
    assert!(
        lines[1].starts_with("klamm: server.properties:3: authorizer.class.name: "),
        "{said}"
    );
    let said = refusal(dir.path(), &["no.properties"], &[]);
    assert_eq!(said, "klamm: there is no file no.properties");
    let said = refusal(dir.path(), &["topics"], &[]);
    assert!(
        said.ends_with("did you mean the command `klamm topic`?"),
        "{said}"
    );
}

#[test]
fn the_environment_wins_over_the_file_and_the_command_line_over_both() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("f"),
        "num.partitions=0\nlog.segment.bytes=0\nnode.id=-5\n",
    )
    .unwrap();
    let environment = [
        ("KAFKA_NUM_PARTITIONS", "3"),
        ("KAFKA_LOG_SEGMENT_BYTES", "5"),
        ("KAFKA_OPTS", "-D"),
    ];
    let said = refusal(
        dir.path(),
        &["f", "--override", "log.segment.bytes=7"],
        &environment,
    );
    assert!(!said.contains("num.partitions"), "{said}");
    assert!(
        said.contains("command line: log.segment.bytes: 7 is not a value"),
        "{said}"
    );
    assert!(said.contains("f:3: node.id"), "{said}");
}

#[test]
fn tables_are_printed_for_people() {
    let dir = tempfile::tempdir().unwrap();
    let versions = String::from_utf8(run(dir.path(), &["api-versions"], &[]).stdout).unwrap();
    assert!(versions.contains(" 18  ApiVersions"), "{versions}");
    let settings = String::from_utf8(run(dir.path(), &["settings", "num.partitions"], &[]).stdout).unwrap();
    assert!(
        settings.contains("num.partitions\n") && settings.contains("default: 1"),
        "{settings}"
    );
    let said = refusal(dir.path(), &["settings", "colour"], &[]);
    assert!(said.contains("\"colour\" is in the name of none"), "{said}");
}
