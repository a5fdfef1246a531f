//! Points in time, as they are written on a command line.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 (`1767225600000`), or how long ago (`90s`, `15m`, `2h`, `7d`); gives milliseconds since 1970.
///
/// # Errors
/// What is expected.
pub fn timestamp_ms(text: &str) -> Result<i64, String> {
    parse(text, now_ms())
        .ok_or_else(|| "milliseconds since 1970 are expected, or how long ago: 90s, 15m, 2h, 7d".to_owned())
}

fn parse(text: &str, now_ms: i64) -> Option<i64> {
    let (number, unit_ms) = match text.char_indices().next_back()? {
        (at, 's') => (&text[..at], 1000),
        (at, 'm') => (&text[..at], 60_000),
        (at, 'h') => (&text[..at], 3_600_000),
        (at, 'd') => (&text[..at], 86_400_000),
        _ => return text.parse().ok().filter(|&ms: &i64| ms >= 0),
    };
    let ago: i64 = number.parse().ok().filter(|&ago: &i64| ago >= 0)?;
    Some(now_ms.saturating_sub(ago.checked_mul(unit_ms)?).max(0))
}

/// How long ago a time was, in its largest unit.
pub fn ago(ms: i64) -> String {
    since(ms, now_ms())
}

fn since(ms: i64, now_ms: i64) -> String {
    let seconds = now_ms.saturating_sub(ms).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3_600 => format!("{}m ago", seconds / 60),
        3_600..86_400 => format!("{}h ago", seconds / 3_600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_milliseconds_since_1970_or_some_time_ago_and_never_before_1970() {
        let now = 1_000_000_000;
        for (text, expected) in [
            ("0", Some(0)),
            ("17", Some(17)),
            ("90s", Some(now - 90_000)),
            ("15m", Some(now - 900_000)),
            ("2h", Some(now - 7_200_000)),
            ("1d", Some(now - 86_400_000)),
            ("9999d", Some(0)),
            ("-1", None),
            ("-1h", None),
            ("", None),
            ("h", None),
            ("yesterday", None),
            ("9223372036854775807d", None),
            ("1€", None),
        ] {
            assert_eq!(parse(text, now), expected, "{text}");
        }
    }

    #[test]
    fn how_long_ago_is_told_in_the_largest_unit() {
        let now = 1_000_000_000;
        for (ms, expected) in [
            (999, "0s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (7_200_000, "2h"),
            (-5, "0s"),
        ] {
            assert_eq!(since(now - ms, now), format!("{expected} ago"));
        }
        assert_eq!(since(now - 200_000_000, now), "2d ago");
    }
}
