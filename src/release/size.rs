//! Sizes as PostgreSQL writes them: `64MB`, `4GB`.

use schemars::JsonSchema;
use serde::Deserialize;

/// A size such as `64MB`, in bytes. The units are PostgreSQL's, each 1024 times the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct Size(pub(crate) u64);

const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let no_size = || format!("{text:?} is no size; write for example 64MB or 4GB ({})", UNITS.join(", "));
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let power = UNITS.iter().position(|known| *known == unit.trim()).ok_or_else(no_size)?;
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << (10 * power)));
        bytes.map(Self).ok_or_else(no_size)
    }
}

/// `12 MB`, as people read it: the largest unit of which there is at least one.
#[cfg(any(test, feature = "live"))]
pub(crate) fn in_words(bytes: u64) -> String {
    let power = UNITS.len().min(1 + (bytes.max(1).ilog2() / 10) as usize) - 1;
    let (unit, one) = (UNITS[power], 1u64 << (10 * power));
    match bytes % one * 10 / one {
        tenth if power > 0 && bytes / one < 10 && tenth > 0 => format!("{}.{tenth} {unit}", bytes / one),
        _ => format!("{} {unit}", bytes / one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        let read = |text: &str| Size::try_from(text.to_owned()).map(|size| in_words(size.0));
        for (text, shown) in
            [("0B", "0 B"), ("1023B", "1023 B"), ("64MB", "64 MB"), ("1536 kB", "1.5 MB"), ("20000GB", "19 TB")]
        {
            assert_eq!(read(text).as_deref(), Ok(shown));
        }
        for text in ["", "12", "MB", "1.5GB", "-1MB", "12mb", "99999999999TB"] {
            assert!(read(text).is_err_and(|error| error.contains("64MB")), "{text}");
        }
    }
}
