//! How much of the traffic green gets, and in which steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The shares green gets one after the other: rising, and the last one is everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Share>", into = "Vec<Share>")]
#[schemars(with = "Vec<Share>")]
pub struct Strategy(Vec<Share>);

/// Why a list of shares is no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// No number.
    #[error("{0:?} is not a percentage between 0 and 100 (at most two decimals), for example `10,50,100`")]
    NotAShare(String),
    /// Not rising.
    #[error("the shares must rise, and {0} does not")]
    NotRising(Share),
    /// Does not end with everything.
    #[error("the last share must be 100, or blue is never drained")]
    NotComplete,
}

impl Strategy {
    /// Everything in one step.
    pub fn all_at_once() -> Self {
        Self(vec![Share::ALL])
    }

    /// Checks a list of shares.
    pub fn new(shares: Vec<Share>) -> Result<Self, StrategyError> {
        let mut last = Share::NONE;
        for share in &shares {
            if *share <= last {
                return Err(StrategyError::NotRising(*share));
            }
            last = *share;
        }
        if last == Share::ALL { Ok(Self(shares)) } else { Err(StrategyError::NotComplete) }
    }

    /// The shares in order.
    pub fn shares(&self) -> &[Share] {
        &self.0
    }

    /// The first share above `reached`.
    pub fn next_after(&self, reached: Share) -> Option<Share> {
        self.0.iter().copied().find(|share| *share > reached)
    }
}

impl TryFrom<Vec<Share>> for Strategy {
    type Error = StrategyError;

    fn try_from(shares: Vec<Share>) -> Result<Self, Self::Error> {
        Self::new(shares)
    }
}

impl From<Strategy> for Vec<Share> {
    fn from(strategy: Strategy) -> Self {
        strategy.0
    }
}

impl std::str::FromStr for Strategy {
    type Err = StrategyError;

    /// Reads percentages, for example `10,50,100` or `0.5,100`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text.split(',').map(percentage).collect::<Result<_, _>>()?)
    }
}

fn percentage(text: &str) -> Result<Share, StrategyError> {
    let bad = || StrategyError::NotAShare(text.trim().to_owned());
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || part.len() > 2 || !digits(whole) || !digits(part) {
        return Err(bad());
    }
    let points = format!("{whole}{part:0<2}").parse::<u16>().map_err(|_| bad())?;
    Share::basis_points(points).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_percentages() {
        let strategy: Strategy = "0.5, 10,50,100".parse().unwrap();
        let points: Vec<_> = strategy.shares().iter().map(|s| s.as_basis_points()).collect();
        assert_eq!(points, [50, 1000, 5000, 10_000]);
        assert_eq!(strategy.next_after(Share(1000)), Some(Share(5000)));
        assert_eq!(strategy.next_after(Share::ALL), None);
    }

    #[test]
    fn refuses_what_would_never_drain_blue() {
        let error = |text: &str| text.parse::<Strategy>().unwrap_err().to_string();
        assert_eq!(error("10,50"), "the last share must be 100, or blue is never drained");
        assert_eq!(error("50,10,100"), "the shares must rise, and 10 % does not");
        assert_eq!(error("0,100"), "the shares must rise, and 0 % does not");
        assert!(error("101").starts_with("\"101\" is not a percentage"));
        assert!(error("").starts_with("\"\" is not a percentage"));
        assert!(error("1.234,100").starts_with("\"1.234\" is not"));
    }

    #[test]
    fn prints_as_people_write() {
        let shown: Vec<_> = [0, 50, 5, 1000, 10_000].map(|p| Share(p).to_string()).into();
        assert_eq!(shown, ["0 %", "0.5 %", "0.05 %", "10 %", "100 %"]);
    }
}
