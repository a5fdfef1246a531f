//! What needs no cluster: what can be set, and completions of command lines.

use std::io::{self, Write};

use klamm_broker::config::setting::{Dynamic, Setting, Support};
use klamm_broker::config::table;

/// Prints a script that completes command lines.
pub fn completions(shell: clap_complete::Shell, command: &mut clap::Command) -> Result<(), String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "klamm", &mut script);
    ended(io::stdout().lock().write_all(&script))
}

/// Prints the settings whose names hold `part`.
///
/// # Errors
/// When there is none, or nobody takes the answer.
pub fn settings(part: &str, topic: bool) -> Result<(), String> {
    let mut out = io::stdout().lock();
    let sections = if topic {
        &[("Topics", table::TOPIC)]
    } else {
        table::BROKER
    };
    let is_chosen = |setting: &&Setting| !setting.internal && setting.name.contains(part);
    if !sections
        .iter()
        .any(|(_, settings)| settings.iter().any(|setting| is_chosen(&setting)))
    {
        let (whose, other) = match topic {
            true => ("a topic's", "without --topic, the broker's are looked through"),
            false => ("the broker's", "--topic looks through a topic's"),
        };
        return Err(format!(
            "{part:?} is in the name of none of {whose} settings; {other}"
        ));
    }
    let mut print = || -> io::Result<()> {
        for (title, settings) in sections {
            let mut chosen = settings.iter().filter(is_chosen).peekable();
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
