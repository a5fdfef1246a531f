//! `docs/configuration.md` is made from the table of settings, and checked in.

use std::fmt::Write;
use std::path::PathBuf;

use klamm_broker::config::setting::{Dynamic, Setting, Support};
use klamm_broker::config::table;

const HEAD: &str = "# Settings

Names, types and defaults are Kafka's; where a default differs, [differences.md](differences.md) says so. Settings come
from a file in the format of Kafka's `server.properties` (`klamm FILE`), from `KAFKA_*` environment variables as in
Kafka's container image (`KAFKA_LOG_DIRS` is `log.dirs`) and from `--override NAME=VALUE`; the later of these wins.
`klamm settings` shows this page for the binary at hand.

Each setting is *served*, *inert* (accepted, and the log says once that it changes nothing) or *refused* (a value other
than the default keeps the broker from starting). What asks for security or durability is never inert. A name that
nobody knows is a warning. *Dynamic* settings can be changed while the broker runs.
";

#[test]
fn the_page_of_settings_is_what_the_table_says() {
    let page = page();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    if std::env::var_os("KLAMM_UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        old == page,
        "docs/configuration.md is out of date: KLAMM_UPDATE=1 cargo test -p klamm --test configuration"
    );
}

fn page() -> String {
    let mut page = String::from(HEAD);
    for (title, settings) in table::BROKER.iter().chain(&[("Of a topic", table::TOPIC)]) {
        let visible = || settings.iter().filter(|setting| !setting.internal);
        write!(page, "\n## {title}\n").expect("a String takes it");
        let served = || visible().filter(|setting| setting.support == Support::Served);
        if served().next().is_some() {
            page.push_str("\n| setting | type and values | default | |\n|---|---|---|---|\n");
            for setting in served() {
                let dynamic = if setting.dynamic == Dynamic::ReadOnly {
                    ""
                } else {
                    " *Dynamic.*"
                };
                let (kind, values) = (setting.kind.name(), setting.allowed_words());
                let default = shown_default(setting);
                writeln!(
                    page,
                    "| `{}` | {kind}: {values} | {default} | {}{dynamic} |",
                    setting.name, setting.doc
                )
                .expect("a String takes it");
            }
        }
        let others = || visible().filter(|setting| setting.support != Support::Served);
        if others().next().is_some() {
            page.push_str("\n| not served | default | | instead |\n|---|---|---|---|\n");
            for setting in others() {
                let instead = match setting.support {
                    Support::Inert(why) => format!("inert: {why}"),
                    Support::Refused(why) => format!("refused: {why}"),
                    Support::Served => String::new(),
                };
                let default = shown_default(setting);
                writeln!(
                    page,
                    "| `{}` | {default} | {} | {instead} |",
                    setting.name, setting.doc
                )
                .expect("a String takes it");
            }
        }
    }
    page
}

fn shown_default(setting: &Setting) -> String {
    match setting.default {
        None => "not set".to_owned(),
        Some("") => "empty".to_owned(),
        Some(default) => format!("`{default}`"),
    }
}
