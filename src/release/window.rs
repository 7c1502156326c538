//! When the steps of a phase may run: not before a time, and only between two times of a day.

use jiff::civil::{Time as Clock, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When the steps of a phase may run, as far as somebody has said it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseTimes {
    /// None of them before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub not_before: Option<Timestamp>,
    /// None begins at another time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_between: Option<Window>,
}

impl PhaseTimes {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is said here, and where nothing is, what others say.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            not_before: self.not_before.or(others.not_before),
            only_between: self.only_between.or(others.only_between),
        }
    }

    /// The next time at which a step may begin that may not begin `now`; `None` if it may.
    pub fn opens(&self, now: Timestamp) -> Option<Timestamp> {
        let from = self.not_before.map_or(now, |not_before| not_before.max(now));
        let open = self.only_between.as_ref().map_or(from, |window| window.next_open(from));
        (open > now).then_some(open)
    }
}

/// A time of the day at which something may begin, on each day or on some of the week: `mon-thu 22:00-04:00 Europe/Berlin`. Beyond midnight it belongs to
/// the day on which it began. Without a time zone it is UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Window {
    /// The days on which it begins; empty: all.
    days: Vec<Weekday>,
    from: Clock,
    /// Exclusive. The same as `from`: for a whole day.
    until: Clock,
    zone: TimeZone,
    text: String,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Window {
    /// The first time from `from` on at which it is open, which may be `from` itself. Wherever the clocks are changed, a time that a day does not have is
    /// the one that the clocks show instead.
    fn next_open(&self, from: Timestamp) -> Timestamp {
        let local = from.to_zoned(self.zone.clone());
        // It may have begun the day before. A week has every day, and one more for a day that lacks the time.
        for day in -1..=8 {
            let Some((begins, ends)) = self.on(&local, day) else { continue };
            if ends > from {
                return begins.max(from);
            }
        }
        from
    }

    /// From when to when it is open that begins so many days after a time.
    fn on(&self, local: &Zoned, days: i32) -> Option<(Timestamp, Timestamp)> {
        let date = local.date().checked_add(days.days()).ok()?;
        if !self.days.is_empty() && !self.days.contains(&date.weekday()) {
            return None;
        }
        let last = if self.until <= self.from { date.tomorrow().ok()? } else { date };
        let at = |date: jiff::civil::Date, time: Clock| {
            date.to_datetime(time).to_zoned(self.zone.clone()).ok().map(|zoned| zoned.timestamp())
        };
        Some((at(date, self.from)?, at(last, self.until)?))
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.text
    }
}

impl TryFrom<String> for Window {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let no_window = || {
            format!("{text:?} is no window; write for example \"22:00-04:00\" or \"mon-thu 22:00-04:00 Europe/Berlin\"")
        };
        let mut words = text.split_whitespace().peekable();
        let days = match words.peek() {
            Some(word) if word.contains(':') => Vec::new(),
            Some(word) => days(word).ok_or_else(no_window)?,
            None => return Err(no_window()),
        };
        if !days.is_empty() {
            words.next();
        }
        let (from, until) = words.next().and_then(|times| times.split_once('-')).ok_or_else(no_window)?;
        let (from, until) = (clock(from).ok_or_else(no_window)?, clock(until).ok_or_else(no_window)?);
        let zone = match words.next() {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name)
                .map_err(|_| format!("{text:?}: this machine does not know the time zone {name:?}; write for example UTC or Europe/Berlin"))?,
        };
        match words.next() {
            Some(_) => Err(no_window()),
            None => Ok(Self { days, from, until, zone, text: text.to_owned() }),
        }
    }
}

/// `22:00`; the end of a day may be `24:00`.
fn clock(text: &str) -> Option<Clock> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |digits: &str| {
        let is_two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        is_two.then(|| digits.parse::<i8>().ok()).flatten()
    };
    match (two(hours)?, two(minutes)?) {
        (24, 0) => Some(Clock::midnight()),
        (hours, minutes) => Clock::new(hours, minutes, 0, 0).ok(),
    }
}

/// `mon-thu`, `sat,sun`, or both: `mon-wed,fri`.
fn days(text: &str) -> Option<Vec<Weekday>> {
    let day = |name: &str| DAYS.iter().position(|(known, _)| name.eq_ignore_ascii_case(known));
    let mut all = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let through = if first <= last { last - first } else { last + 7 - first };
        all.extend((first..=first + through).map(|at| DAYS[at % 7].1));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `now` and when it opens next, in a window's own words of time; `open` if it is.
    fn check(window: &str, now: &str, expected: &str) {
        let times = PhaseTimes { only_between: Some(window.parse().unwrap()), ..PhaseTimes::default() };
        let opens = times.opens(now.parse().unwrap());
        let said = opens.map_or_else(|| "open".to_owned(), |opens| opens.to_string());
        assert_eq!(said, expected, "{window:?} at {now}");
    }

    #[test]
    fn times_of_each_day() {
        check("02:00-05:00", "2026-11-30T01:59:59Z", "2026-11-30T02:00:00Z");
        check("02:00-05:00", "2026-11-30T02:00:00Z", "open");
        check("02:00-05:00", "2026-11-30T04:59:59Z", "open");
        check("02:00-05:00", "2026-11-30T05:00:00Z", "2026-12-01T02:00:00Z");
        check("22:00-04:00", "2026-11-30T03:00:00Z", "open");
        check("22:00-04:00", "2026-11-30T04:00:00Z", "2026-11-30T22:00:00Z");
        check("22:00-04:00", "2026-11-30T23:00:00Z", "open");
        check("00:00-24:00", "2026-11-30T23:59:59Z", "open");
    }

    /// 30 November 2026 is a Monday.
    #[test]
    fn days_of_the_week() {
        check("mon-thu 22:00-04:00", "2026-11-30T03:00:00Z", "2026-11-30T22:00:00Z");
        check("mon-thu 22:00-04:00", "2026-12-04T03:00:00Z", "open");
        check("mon-thu 22:00-04:00", "2026-12-04T22:00:00Z", "2026-12-07T22:00:00Z");
        check("SAT,sun 00:00-24:00", "2026-11-30T12:00:00Z", "2026-12-05T00:00:00Z");
        check("fri-mon 08:00-09:00", "2026-12-01T08:30:00Z", "2026-12-04T08:00:00Z");
        check("tue 08:00-09:00", "2026-12-01T09:00:00Z", "2026-12-08T08:00:00Z");
    }

    /// In Berlin the clocks go from 02:00 to 03:00 on 29 March 2026, and back from 03:00 to 02:00 on 25 October.
    #[test]
    fn zones_and_clocks_that_are_changed() {
        check("22:00-04:00 Europe/Berlin", "2026-11-30T20:59:00Z", "2026-11-30T21:00:00Z");
        check("22:00-04:00 Europe/Berlin", "2026-07-01T20:00:00Z", "open");
        check("02:30-02:45 Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z");
        check("01:00-04:00 Europe/Berlin", "2026-10-25T02:30:00Z", "open");
        check("01:00-04:00 Europe/Berlin", "2026-10-25T03:00:00Z", "2026-10-26T00:00:00Z");
    }

    #[test]
    fn not_before_a_time() {
        let times = |not_before: &str, window: Option<&str>| PhaseTimes {
            not_before: Some(not_before.parse().unwrap()),
            only_between: window.map(|window| window.parse().unwrap()),
        };
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        let opens = |times: PhaseTimes| times.opens(now).map(|opens| opens.to_string());
        assert_eq!(opens(times("2026-11-30T12:00:00Z", None)), None);
        assert_eq!(opens(times("2026-12-24T18:00:00+01:00", None)).as_deref(), Some("2026-12-24T17:00:00Z"));
        assert_eq!(opens(times("2026-12-01T06:00:00Z", Some("22:00-04:00"))).as_deref(), Some("2026-12-01T22:00:00Z"));
    }

    #[test]
    fn what_is_no_window() {
        let no_window = |text: &str| {
            format!("{text:?} is no window; write for example \"22:00-04:00\" or \"mon-thu 22:00-04:00 Europe/Berlin\"")
        };
        let check = |text: &str, expected: &str| assert_eq!(text.parse::<Window>().unwrap_err(), expected);
        for text in [
            "",
            "night",
            "mon",
            "22-04",
            "22:00",
            "25:00-26:00",
            "mon-xyz 22:00-04:00",
            "2:00-4:00",
            "22:00-04:00 UTC please",
            "24:30-01:00",
            "+1:00-02:00",
        ] {
            check(text, &no_window(text));
        }
        check(
            "22:00-04:00 Europe/Nowhere",
            "\"22:00-04:00 Europe/Nowhere\": this machine does not know the time zone \"Europe/Nowhere\"; write for example UTC or Europe/Berlin",
        );
    }
}
