//! The one thing that the coordinator reads in what consumers tell each other: the topics they subscribe to.

use bytes::{Buf, Bytes};
use klamm_protocol::Str;

/// The topics in a consumer's subscription (Kafka: `ConsumerProtocolSubscription`); none when it is not one.
///
/// | bytes | what |
/// |---|---|
/// | 2 | version, 0 or more |
/// | 4 | number of topics |
/// | 2 + n, each | length and name of a topic |
/// | rest | depends on the version, and is nothing to us |
pub(super) fn topics(subscription: &Bytes) -> Option<Vec<Str>> {
    let mut rest = subscription.clone();
    let version = rest.try_get_i16().ok()?;
    let count = usize::try_from(rest.try_get_i32().ok()?).ok()?;
    // Each topic takes two bytes or more, so a count beyond that is a lie.
    if version < 0 || count > rest.len() / 2 {
        return None;
    }
    let mut topics = Vec::with_capacity(count);
    for _ in 0..count {
        let length = usize::try_from(rest.try_get_i16().ok()?).ok()?;
        if length > rest.len() {
            return None;
        }
        topics.push(Str::from_utf8(rest.split_to(length))?.detached());
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_in_every_version() {
        let subscription = Bytes::from_static(b"\0\x03\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0");
        assert_eq!(topics(&subscription), Some(vec!["a".into(), "bc".into()]));
    }

    #[test]
    fn what_is_no_subscription_has_no_topics() {
        for bytes in [
            &b""[..],
            b"\0",
            b"\0\0\0\0\0\x09\0\x01a",
            b"\0\0\xff\xff\xff\xff",
            b"\0\0\0\0\0\x01\0\x09a",
            b"\0\0\0\0\0\x01\0\x01\xff",
        ] {
            assert_eq!(topics(&Bytes::from_static(bytes)), None, "{bytes:?}");
        }
    }
}
