//! The tree keeps the rules of the house, and each rule notices when one does not.

use klamm_tidy::{Source, imports, leftovers, links, long_files, names, root, sources};

fn tree() -> Vec<Source> {
    sources(&root()).expect("the tree can be read")
}

fn one(path: &str, text: &str) -> Vec<Source> {
    vec![Source {
        path: path.into(),
        text: text.into(),
    }]
}

#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_tree_was_found() {
    let paths: Vec<String> = tree().into_iter().map(|source| source.path).collect();
    for path in ["Cargo.toml", "broker/src/lib.rs", "tests/tidy/src/lib.rs"] {
        assert!(
            paths.iter().any(|found| found == path),
            "{path} is missing from the walk"
        );
    }
}

#[test]
fn rooms_import_only_what_they_may() {
    none(imports(&tree()));
    let caught = |path, text| imports(&one(path, text)).len();
    assert_eq!(
        caught(
            "storage/Cargo.toml",
            "[dependencies]\nklamm-broker.workspace = true\n"
        ),
        1
    );
    assert_eq!(
        caught(
            "storage/Cargo.toml",
            "[dev-dependencies]\nklamm-broker.workspace = true\n"
        ),
        0
    );
    assert_eq!(
        caught("protocol/Cargo.toml", "[dependencies]\ntokio = \"1\"\n"),
        1
    );
    assert_eq!(
        caught("storage/src/log.rs", "use klamm_protocol::messages::fetch;\n"),
        1
    );
    assert_eq!(caught("broker/src/node.rs", "use tokio::sync::Notify;\n"), 1);
    assert_eq!(
        caught("broker/src/server/mod.rs", "use tokio::net::TcpStream;\n"),
        0
    );
    assert_eq!(
        caught("broker/src/node.rs", "// tokio::spawn is for the shell\n"),
        0
    );
}

#[test]
fn nothing_is_left_behind() {
    none(leftovers(&tree()));
    let put_off = concat!("fn later() { to", "do!() }");
    let machine = concat!("see /wo", "rk/somewhere");
    assert_eq!(leftovers(&one("a/b.rs", put_off)).len(), 1);
    let waits = concat!("thread::", "sleep(interval);");
    assert_eq!(leftovers(&one("tests/b.rs", waits)).len(), 1);
    assert_eq!(leftovers(&one("benches/b.rs", waits)).len(), 0);
    assert_eq!(
        leftovers(&one("docs/a.md", machine)),
        [concat!("docs/a.md:1: has \"/wo", "rk/\"")]
    );
}

#[test]
fn names_say_something() {
    none(names(&tree()));
    assert_eq!(names(&one("broker/src/utils.rs", "")).len(), 1);
    assert_eq!(names(&one("broker/src/common/mod.rs", "")).len(), 1);
}

#[test]
fn links_of_documents_lead_somewhere() {
    none(links(&root(), &tree()));
    let text = "[here](Cargo.toml) [gone](docs/gone.md#part) [out](https://example.org/x)";
    assert_eq!(
        links(&root(), &one("README.md", text)),
        ["README.md:1: docs/gone.md is not there"]
    );
}

/// Not an error: said aloud, so that somebody asks whether each is still one room with one door.
#[test]
fn long_files_are_told() {
    let tree = tree();
    for (lines, path) in long_files(&tree, 800) {
        println!("{lines} lines: {path}");
    }
    let long = "\n".repeat(801);
    assert_eq!(long_files(&one("a.rs", &long), 800), [(801, "a.rs")]);
}
