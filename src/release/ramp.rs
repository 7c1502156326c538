//! How the traffic moves from blue to green: shares, times to wait, and people to ask, one after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Share;
use super::time::{self, in_words};

/// One thing that happens to the traffic between the phases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RampStep {
    /// Green gets a share, in basis points.
    Share(Share),
    /// Nothing moves for a time: what goes wrong with green shows. Behind the last share it is the bake time.
    Hold {
        /// In milliseconds.
        hold_ms: u64,
    },
    /// Somebody approves before it goes on.
    Approve {
        /// The gate's name, for `cutover promote --gate`.
        approve: String,
    },
    /// A check must come out well before it goes on. Since 2.3.
    Check {
        /// Its name.
        check: String,
    },
}

impl RampStep {
    /// A time in which nothing moves.
    pub fn hold(time: Duration) -> Self {
        Self::Hold { hold_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl std::fmt::Display for RampStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{share}"),
            Self::Hold { hold_ms } => write!(f, "hold {}", in_words(*hold_ms)),
            Self::Approve { approve } => write!(f, "approve {approve}"),
            Self::Check { check } => write!(f, "check {check}"),
        }
    }
}

/// The steps in which the traffic moves: the shares rise, and the last one is everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<RampStep>", into = "Vec<RampStep>")]
#[schemars(with = "Vec<RampStep>")]
pub struct Ramp(Vec<RampStep>);

/// Why something is no ramp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RampError {
    /// No number and no word that a ramp has.
    #[error(
        "{0:?} is neither a percentage (0 to 100, at most two decimals) nor `hold=5m`, `approve=NAME` or `check=NAME`"
    )]
    NoStep(String),
    /// No time that can be waited.
    #[error("{0:?} is no time to hold; write for example 30s, 5m or 1h30m")]
    NoTime(String),
    /// No name that can be typed.
    #[error("{0:?} is no name of a gate or a check: letters, digits, `-` and `_`")]
    NoName(String),
    /// Before green has everything.
    #[error("`bake` comes after 100; before it, write `hold={0}`")]
    BakeBeforeAll(String),
    /// Twice the same.
    #[error("the gate {0:?} is there twice; a promotion must say which one it means")]
    GateTwice(String),
    /// Not rising.
    #[error("the shares must rise, and {0} does not")]
    NotRising(Share),
    /// Does not end with everything.
    #[error("the last share must be 100, or blue is never drained")]
    NotComplete,
}

/// A shorthand for a ramp.
struct Shorthand {
    /// As it is written, `N` for a number.
    form: &'static str,
    /// What it stands for.
    expand: fn(share: Share, time: Duration) -> Vec<RampStep>,
}

/// Those of CodeDeploy, whose own spelling (`CodeDeployDefault.ECSCanary10Percent5Minutes`) is read as well.
const SHORTHANDS: &[Shorthand] = &[
    Shorthand { form: "all-at-once", expand: |_, _| vec![RampStep::Share(Share::ALL)] },
    Shorthand { form: "canary-N-percent-N-minutes", expand: canary },
    Shorthand { form: "linear-N-percent-every-N-minutes", expand: linear },
];

fn canary(share: Share, time: Duration) -> Vec<RampStep> {
    vec![RampStep::Share(share), RampStep::hold(time), RampStep::Share(Share::ALL)]
}

fn linear(by: Share, time: Duration) -> Vec<RampStep> {
    let by = by.as_basis_points().max(1);
    let below = (1..).map(|times: u16| times.saturating_mul(by)).map_while(Share::basis_points);
    let below = below.take_while(|share| *share < Share::ALL);
    below
        .flat_map(|share| [RampStep::Share(share), RampStep::hold(time)])
        .chain([RampStep::Share(Share::ALL)])
        .collect()
}

impl Shorthand {
    /// What a text stands for, if it has this form.
    fn read(&self, text: &str) -> Option<Result<Ramp, RampError>> {
        let (mut words, mut numbers) = (text.split('-'), Vec::new());
        for expected in self.form.split('-') {
            let word = words.next()?;
            match expected {
                "N" => numbers.push(word),
                "minutes" if word == "minute" => {}
                _ if word == expected => {}
                _ => return None,
            }
        }
        if words.next().is_some() {
            return None;
        }
        let [share, minutes] = numbers[..] else {
            return Some(Ramp::new((self.expand)(Share::ALL, Duration::ZERO)));
        };
        let no_step = || RampError::NoStep(share.to_owned());
        let parsed = Share::percent(share).filter(|share| *share > Share::NONE).ok_or_else(no_step);
        let time = minutes.parse::<u32>().map_err(|_| RampError::NoTime(minutes.to_owned()));
        let time = time.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
        Some(parsed.and_then(|share| Ramp::new((self.expand)(share, time?))))
    }
}

/// A name of CodeDeploy's as words: `CodeDeployDefault.LambdaLinear10PercentEvery1Minute`.
fn words_of(name: &str) -> String {
    let name = name.strip_prefix("CodeDeployDefault.").unwrap_or(name);
    let name = ["Lambda", "ECS"].iter().find_map(|platform| name.strip_prefix(platform)).unwrap_or(name);
    let mut words = String::new();
    let mut before = None;
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() || (c.is_ascii_digit() && before.is_some_and(|b: char| b.is_alphabetic()));
        if begins && before.is_some_and(|before| before != '-') {
            words.push('-');
        }
        words.push(c.to_ascii_lowercase());
        before = Some(c);
    }
    words
}

impl Ramp {
    /// Everything in one step.
    pub fn all_at_once() -> Self {
        Self(vec![RampStep::Share(Share::ALL)])
    }

    /// Checks a list of steps.
    pub fn new(steps: Vec<RampStep>) -> Result<Self, RampError> {
        let (mut last, mut gates) = (Share::NONE, BTreeSet::new());
        for step in &steps {
            match step {
                RampStep::Share(share) if *share <= last => return Err(RampError::NotRising(*share)),
                RampStep::Share(share) => last = *share,
                RampStep::Hold { hold_ms: 0 } => return Err(RampError::NoTime("0".to_owned())),
                RampStep::Hold { .. } => {}
                RampStep::Approve { approve: name } | RampStep::Check { check: name } if !is_name(name) => {
                    return Err(RampError::NoName(name.clone()));
                }
                RampStep::Approve { approve } if !gates.insert(approve) => {
                    return Err(RampError::GateTwice(approve.clone()));
                }
                RampStep::Approve { .. } | RampStep::Check { .. } => {}
            }
        }
        if last == Share::ALL { Ok(Self(steps)) } else { Err(RampError::NotComplete) }
    }

    /// The steps in order.
    pub fn steps(&self) -> &[RampStep] {
        &self.0
    }

    /// The shares in order.
    pub fn shares(&self) -> impl Iterator<Item = Share> {
        self.0.iter().filter_map(|step| match step {
            RampStep::Share(share) => Some(*share),
            RampStep::Hold { .. } | RampStep::Approve { .. } | RampStep::Check { .. } => None,
        })
    }

    /// The checks that are made at steps of it.
    pub fn checks(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|step| match step {
            RampStep::Check { check } => Some(check.as_str()),
            RampStep::Share(_) | RampStep::Hold { .. } | RampStep::Approve { .. } => None,
        })
    }

    /// Whether green gets everything in one step.
    pub fn is_one_step(&self) -> bool {
        self.shares().count() == 1
    }

    /// How many steps are over once green has this share.
    pub fn reached(&self, share: Share) -> usize {
        let has = |step: &RampStep| matches!(step, RampStep::Share(of) if *of <= share);
        self.0.iter().rposition(has).map_or(0, |at| at + 1)
    }

    /// Step by step, as people read it.
    pub fn in_words(&self) -> Vec<String> {
        let all = self.reached(Share::ALL);
        let word = |(at, step): (usize, &RampStep)| match step {
            RampStep::Hold { hold_ms } if at >= all => format!("bake {}", in_words(*hold_ms)),
            step => step.to_string(),
        };
        self.0.iter().enumerate().map(word).collect()
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

impl TryFrom<Vec<RampStep>> for Ramp {
    type Error = RampError;

    fn try_from(steps: Vec<RampStep>) -> Result<Self, Self::Error> {
        Self::new(steps)
    }
}

impl From<Ramp> for Vec<RampStep> {
    fn from(ramp: Ramp) -> Self {
        ramp.0
    }
}

impl std::fmt::Display for Ramp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.in_words().join(" → "))
    }
}

impl std::str::FromStr for Ramp {
    type Err = RampError;

    /// Reads steps, for example `10,hold=5m,50,approve=qa,100,bake=30m`, or a shorthand, for example `canary-10-percent-5-minutes`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = words_of(text.trim());
        match SHORTHANDS.iter().find_map(|shorthand| shorthand.read(&words)) {
            Some(ramp) => ramp,
            None => {
                let mut steps: Vec<RampStep> = Vec::new();
                for step in text.split(',').map(str::trim) {
                    let bake = step.strip_prefix("bake=");
                    if let Some(time) = bake.filter(|_| !steps.contains(&RampStep::Share(Share::ALL))) {
                        return Err(RampError::BakeBeforeAll(time.to_owned()));
                    }
                    let hold = bake.map(|time| format!("hold={time}"));
                    steps.push(hold.as_deref().unwrap_or(step).parse()?);
                }
                Self::new(steps)
            }
        }
    }
}

impl std::str::FromStr for RampStep {
    type Err = RampError;

    /// Reads a percentage, `hold=TIME`, `approve=NAME` or `check=NAME`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            None => Share::percent(text).map(Self::Share).ok_or_else(|| RampError::NoStep(text.to_owned())),
            Some(("hold", time)) => time::read(time).map(Self::hold).ok_or_else(|| RampError::NoTime(time.to_owned())),
            Some(("approve", name)) => Ok(Self::Approve { approve: name.to_owned() }),
            Some(("check", name)) => Ok(Self::Check { check: name.to_owned() }),
            Some(_) => Err(RampError::NoStep(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match text.parse::<Ramp>() {
            Ok(ramp) => ramp.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text:?}");
    }

    #[test]
    fn reads_steps() {
        check("0.5, 10,50,100", "0.5 % → 10 % → 50 % → 100 %");
        check("10,hold=5m,50,approve=qa,100,hold=1h30m", "10 % → hold 5m → 50 % → approve qa → 100 % → bake 1h 30m");
        check("approve=on-call,100,bake=30m", "approve on-call → 100 % → bake 30m");
        check("10,bake=5m,100", "`bake` comes after 100; before it, write `hold=5m`");
    }

    #[test]
    fn reads_shorthands() {
        check("all-at-once", "100 %");
        check("canary-10-percent-5-minutes", "10 % → hold 5m → 100 %");
        check("linear-40-percent-every-1-minute", "40 % → hold 1m → 80 % → hold 1m → 100 %");
        check("linear-50-percent-every-90-minutes", "50 % → hold 1h 30m → 100 %");
        check("CodeDeployDefault.AllAtOnce", "100 %");
        check("CodeDeployDefault.LambdaCanary10Percent30Minutes", "10 % → hold 30m → 100 %");
        check("CodeDeployDefault.ECSAllAtOnce", "100 %");
        check("ECSLinear50PercentEvery3Minutes", "50 % → hold 3m → 100 %");
        check("Linear50PercentEvery10Minutes", "50 % → hold 10m → 100 %");
        check("canary-100-percent-5-minutes", "the shares must rise, and 100 % does not");
        check(
            "canary-0-percent-5-minutes",
            "\"0\" is neither a percentage (0 to 100, at most two decimals) nor `hold=5m`, `approve=NAME` or `check=NAME`",
        );
        check("canary-10-percent-0-minutes", "\"0\" is no time to hold; write for example 30s, 5m or 1h30m");
    }

    #[test]
    fn refuses_what_would_never_drain_blue() {
        check("10,50", "the last share must be 100, or blue is never drained");
        check("hold=5m", "the last share must be 100, or blue is never drained");
        check("50,10,100", "the shares must rise, and 10 % does not");
        check("0,100", "the shares must rise, and 0 % does not");
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let neither = |text: &str| {
            format!(
                "{text:?} is neither a percentage (0 to 100, at most two decimals) nor `hold=5m`, `approve=NAME` or `check=NAME`"
            )
        };
        for text in ["101", "", "canary", "pause=5m"] {
            check(text, &neither(text));
        }
        check("hold=soon,100", "\"soon\" is no time to hold; write for example 30s, 5m or 1h30m");
        check("hold=-5m,100", "\"-5m\" is no time to hold; write for example 30s, 5m or 1h30m");
        check("approve=,100", "\"\" is no name of a gate or a check: letters, digits, `-` and `_`");
        check("approve=a,10,approve=a,100", "the gate \"a\" is there twice; a promotion must say which one it means");
    }

    #[test]
    fn is_written_as_a_list_that_begins_as_the_lists_of_shares_did() {
        let ramp: Ramp = "10,hold=5m,approve=qa,100".parse().unwrap();
        let json = serde_json::to_string(&ramp).unwrap();
        assert_eq!(json, r#"[1000,{"hold_ms":300000},{"approve":"qa"},10000]"#);
        assert_eq!(serde_json::from_str::<Ramp>(&json).unwrap(), ramp);
        assert_eq!(serde_json::from_str::<Ramp>("[1000,10000]").unwrap(), "10,100".parse().unwrap());
        assert!(serde_json::from_str::<Ramp>("[1000]").is_err());
        assert!(serde_json::from_str::<Ramp>("[10001]").is_err());
    }
}
