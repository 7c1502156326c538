//! How much of the traffic green gets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "live")]
use crate::side::Side;

/// Green's share of the traffic in basis points, 0 to 10,000. The rest is blue's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u16")]
#[schemars(with = "u16")]
pub struct Share(u16);

impl Share {
    /// All traffic is blue's.
    pub const NONE: Self = Self(0);
    /// All traffic is green's.
    pub const ALL: Self = Self(10_000);

    /// A share in basis points; `None` above 10,000.
    pub fn basis_points(points: u16) -> Option<Self> {
        (points <= Self::ALL.0).then_some(Self(points))
    }

    /// A percentage with at most two decimals, for example `10` or `0.5`; `None` if it is none.
    pub fn percent(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || part.len() > 2 || !digits(whole) || !digits(part) {
            return None;
        }
        Self::basis_points(format!("{whole}{part:0<2}").parse().ok()?)
    }

    /// The share at which a version gets nothing.
    #[cfg(feature = "live")]
    pub(crate) fn without(side: Side) -> Self {
        match side {
            Side::Blue => Self::ALL,
            Side::Green => Self::NONE,
        }
    }

    /// In basis points.
    pub fn as_basis_points(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Share {
    type Error = String;

    fn try_from(points: u16) -> Result<Self, Self::Error> {
        Self::basis_points(points).ok_or_else(|| format!("a share is at most 10000 basis points, not {points}"))
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole} %"),
            (whole, part) if part % 10 == 0 => write!(f, "{whole}.{} %", part / 10),
            (whole, part) => write!(f, "{whole}.{part:02} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_percentages() {
        let check = |text: &str, expected: Option<u16>| {
            assert_eq!(Share::percent(text).map(Share::as_basis_points), expected, "{text:?}");
        };
        check("0.5", Some(50));
        check("10", Some(1000));
        check("33.33", Some(3333));
        check("100", Some(10_000));
        for bad in ["101", "", ".5", "1.234", "-1", "1e1", "100.01", "9999999"] {
            check(bad, None);
        }
    }

    #[test]
    fn prints_as_people_write() {
        let shown: Vec<_> = [0, 50, 5, 1000, 10_000].map(|p| Share(p).to_string()).into();
        assert_eq!(shown, ["0 %", "0.5 %", "0.05 %", "10 %", "100 %"]);
    }
}
