//! Rules of the house that neither compiler nor clippy know: who may import whom, what no source may contain, which
//! names say nothing, and that every link of a document leads somewhere.
//!
//! Each rule is a function from the tree to a list of complaints, `path:line: what`; `tests/house.rs` wants the
//! lists of the real tree empty, and shows for each rule a tree that breaks it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a crate's ordinary dependencies may name of ours, whether it may use tokio, and what of ours its sources
/// may not name although the crate is allowed.
struct Room {
    folder: &'static str,
    ours: &'static [&'static str],
    tokio: Tokio,
    never: &'static [&'static str],
}

enum Tokio {
    Never,
    Under(&'static str),
    Anywhere,
}

/// The rooms with rules. `klamm`, `tests` and `benches` may import anything, and nobody imports them.
const ROOMS: &[Room] = &[
    Room {
        folder: "protocol",
        ours: &["klamm-protocol-derive"],
        tokio: Tokio::Never,
        never: &[],
    },
    Room {
        folder: "protocol/derive",
        ours: &[],
        tokio: Tokio::Never,
        never: &[],
    },
    Room {
        folder: "storage",
        ours: &["klamm-protocol"],
        tokio: Tokio::Never,
        never: &["klamm_protocol::messages", "klamm_protocol::frame"],
    },
    Room {
        folder: "consensus",
        ours: &["klamm-protocol", "klamm-storage"],
        tokio: Tokio::Never,
        never: &["klamm_protocol::messages", "klamm_protocol::frame"],
    },
    Room {
        folder: "client",
        ours: &["klamm-protocol"],
        tokio: Tokio::Anywhere,
        never: &[],
    },
    Room {
        folder: "broker",
        ours: &[
            "klamm-protocol",
            "klamm-storage",
            "klamm-consensus",
            "klamm-client",
        ],
        tokio: Tokio::Under("server"),
        never: &[],
    },
];

/// A text file of the tree.
pub struct Source {
    /// Relative to the root, with `/` between the parts.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Source {
    fn complain(&self, line: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// The root of the project, from where this crate lies.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text file below `root`, without what is built or fetched.
pub fn sources(root: &Path) -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if matches!(&*name, ".git" | "target" | "node_modules" | "__pycache__") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
                found.push(Source {
                    path: relative.replace('\\', "/"),
                    text,
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Dependencies and `use` lines follow the table of rooms.
pub fn imports(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for room in ROOMS {
        for source in sources {
            let Some(inside) = source
                .path
                .strip_prefix(room.folder)
                .and_then(|p| p.strip_prefix('/'))
            else {
                continue;
            };
            if inside == "Cargo.toml" {
                complaints.extend(room.dependencies(source));
            } else if source.is_rust() && inside.starts_with("src/") {
                complaints.extend(room.uses(source, inside));
            }
        }
    }
    complaints
}

impl Room {
    fn dependencies(&self, manifest: &Source) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut inside = false;
        for (number, line) in manifest.text.lines().enumerate() {
            if line.starts_with('[') {
                inside = line == "[dependencies]";
                continue;
            }
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            let ours = name.starts_with("klamm-") && !self.ours.contains(&name);
            let tokio = name.starts_with("tokio") && matches!(self.tokio, Tokio::Never);
            if inside && (ours || tokio) {
                complaints
                    .push(manifest.complain(number, &format!("{} may not depend on {name}", self.folder)));
            }
        }
        complaints
    }

    fn uses(&self, source: &Source, inside: &str) -> Vec<String> {
        let tokio_free = match self.tokio {
            Tokio::Never => true,
            Tokio::Under(folder) => !inside.starts_with(&format!("src/{folder}")),
            Tokio::Anywhere => false,
        };
        let mut complaints = Vec::new();
        for (number, line) in code_lines(source) {
            if tokio_free && line.contains("tokio::") {
                complaints.push(source.complain(number, "a core knows no tokio"));
            }
            for never in self.never {
                if line.contains(never) {
                    complaints.push(source.complain(number, &format!("{} may not use {never}", self.folder)));
                }
            }
        }
        complaints
    }
}

/// Lines that are not comments.
fn code_lines(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Nothing in the tree is put off, left behind, or tied to one machine.
pub fn leftovers(sources: &[Source]) -> Vec<String> {
    // In pieces, so that this file does not find itself.
    let in_rust = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("#[ig", "nore"),
        concat!("thread::", "sleep"),
    ];
    let anywhere = [
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X "),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/tmp/", "klamm"),
    ];
    let mut complaints = Vec::new();
    for source in sources {
        if source.path == "Cargo.lock" || source.path == "LICENSE" {
            continue;
        }
        // A load at a steady rate waits for its clock.
        let paced = source.path.starts_with("benches/");
        for (number, line) in source.text.lines().enumerate() {
            let rust = in_rust
                .iter()
                .filter(|word| source.is_rust() && !(paced && word.contains("sleep")));
            for found in rust.chain(&anywhere).filter(|word| line.contains(**word)) {
                complaints.push(source.complain(number, &format!("has {found:?}")));
            }
        }
    }
    complaints
}

/// Names that say what a thing is, not that somebody needed a place for it.
pub fn names(sources: &[Source]) -> Vec<String> {
    const EMPTY: [&str; 8] = [
        "utils", "util", "common", "helpers", "helper", "manager", "misc", "new",
    ];
    let mut complaints = Vec::new();
    for source in sources {
        for part in source.path.split('/') {
            let stem = part.split('.').next().unwrap_or_default();
            if EMPTY.contains(&stem) {
                complaints.push(format!("{}: the name {stem:?} says nothing", source.path));
            }
        }
    }
    complaints
}

/// Every relative link in a Markdown file leads to a file or folder of the tree.
pub fn links(root: &Path, sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".md")) {
        let folder = root
            .join(&source.path)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        for (number, line) in source.text.lines().enumerate() {
            for link in line.split("](").skip(1) {
                let target = link.split([')', '#', ' ']).next().unwrap_or_default();
                let external = target.contains("://") || target.starts_with("mailto:");
                if !target.is_empty() && !external && !folder.join(target).exists() {
                    complaints.push(source.complain(number, &format!("{target} is not there")));
                }
            }
        }
    }
    complaints
}

/// Rust files with more than `limit` lines, longest first: a question worth asking, not an error.
pub fn long_files(sources: &[Source], limit: usize) -> Vec<(usize, &str)> {
    let mut long: Vec<_> = sources
        .iter()
        .filter(|source| source.is_rust())
        .map(|source| (source.text.lines().count(), source.path.as_str()))
        .filter(|(lines, _)| *lines > limit)
        .collect();
    long.sort_by(|a, b| b.cmp(a));
    long
}
