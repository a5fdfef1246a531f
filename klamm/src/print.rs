//! Tables for people: what is served, and what can be set.

use std::io::{self, Write};

use klamm_broker::config::setting::{Dynamic, Setting, Support};
use klamm_broker::config::table;
use klamm_broker::router::SERVED;

/// Prints the table of served APIs.
pub fn api_versions() -> Result<(), String> {
    let mut out = io::stdout().lock();
    let mut print = || -> io::Result<()> {
        writeln!(out, "{:>3}  {:<32} versions", "key", "API")?;
        for row in SERVED {
            writeln!(out, "{:>3}  {:<32} {}-{}", row.key, row.name, row.min, row.max)?;
        }
        Ok(())
    };
    ended(print())
}

/// Prints the settings whose names hold `part`.
pub fn settings(part: &str, topic: bool) -> Result<(), String> {
    let mut out = io::stdout().lock();
    let sections = if topic {
        &[("Topics", table::TOPIC)]
    } else {
        table::BROKER
    };
    let mut print = || -> io::Result<()> {
        for (title, settings) in sections {
            let mut chosen = settings
                .iter()
                .filter(|setting| !setting.internal && setting.name.contains(part))
                .peekable();
            if chosen.peek().is_some() {
                writeln!(out, "{title}\n")?;
            }
            for setting in chosen {
                print_setting(&mut out, setting)?;
            }
        }
        Ok(())
    };
    ended(print())
}

fn print_setting(out: &mut impl Write, setting: &Setting) -> io::Result<()> {
    let default = match setting.default {
        None => "not set".to_owned(),
        Some("") => "empty".to_owned(),
        Some(default) => default.to_owned(),
    };
    writeln!(out, "  {}", setting.name)?;
    writeln!(out, "      {}", setting.doc)?;
    writeln!(
        out,
        "      {}; {}; default: {default}",
        setting.kind.name(),
        setting.allowed_words()
    )?;
    if setting.dynamic != Dynamic::ReadOnly {
        writeln!(out, "      can be changed while the broker runs")?;
    }
    match setting.support {
        Support::Served => {}
        Support::Inert(why) => writeln!(out, "      changes nothing: {why}")?,
        Support::Refused(why) => writeln!(out, "      refused: {why}")?,
    }
    writeln!(out)
}

/// Whoever closes the pipe (`klamm settings | head`) has seen enough.
fn ended(result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("cannot write: {error}")),
        _ => Ok(()),
    }
}
