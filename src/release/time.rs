//! Times as people write them: `500ms`, `5m`, `1h 30m`.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use schemars::JsonSchema;
use serde::Deserialize;

/// A time such as `500ms`, `5s` or `2m`, as milliseconds.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct Time(pub(crate) u64);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let no_time = || format!("{text:?} is no time; write for example 500ms, 5s or 2m");
        read(&text).map(|time| Self(milliseconds(time))).ok_or_else(no_time)
    }
}

impl Time {
    #[cfg(feature = "live")]
    pub(crate) fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// Reads a time; `None` if it is none, or negative.
pub(crate) fn read(text: &str) -> Option<Duration> {
    Duration::try_from(signed(text).ok()?).ok()
}

/// Reads a time, a day of which has 24 hours.
pub(crate) fn signed(text: &str) -> Result<SignedDuration, jiff::Error> {
    let days = || text.parse::<Span>()?.to_duration(SpanRelativeTo::days_are_24_hours());
    text.parse().or_else(|error| days().map_err(|_: jiff::Error| error))
}

/// Whole milliseconds, rounded up: no limit becomes none.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// A time in milliseconds, as it can be read again.
pub(crate) fn in_words(ms: u64) -> String {
    let time = SignedDuration::try_from(Duration::from_millis(ms)).unwrap_or(SignedDuration::MAX);
    format!("{time:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let check =
            |text: &str, seconds: Option<u64>| assert_eq!(read(text), seconds.map(Duration::from_secs), "{text}");
        check("90s", Some(90));
        check("1h 30m", Some(5_400));
        check("7d", Some(604_800));
        check("1w 12h", Some(648_000));
        check("-1s", None);
        check("1mo", None);
        check("soon", None);
    }
}
