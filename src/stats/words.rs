//! Loads in words, one line a table, each figure with its label.

use super::load::{Blocked, Load, Range, TableLoad};

/// Of the statements that wait, so many stand in a line.
const SHOWN: usize = 3;
/// Characters of a statement in a line.
const WIDTH: usize = 60;

impl Load {
    /// What to say about it: a line for each table, then what is to be expected, then what is doubted.
    pub fn lines(&self) -> Vec<String> {
        let tables = self
            .tables
            .iter()
            .enumerate()
            .flat_map(|(at, table)| table.lines(if at == 0 { Some(&self.held) } else { None }));
        let doubts = (!self.doubts.is_empty()).then(|| format!("assumed: {}", self.doubts.join("; ")));
        tables.chain(self.expected.iter().cloned()).chain(doubts).collect()
    }

    /// The same in one line.
    pub fn sentence(&self) -> String {
        self.lines().join("; ")
    }
}

impl TableLoad {
    fn lines(&self, held: Option<&Range>) -> Vec<String> {
        let size = match (&self.bytes, &self.rows) {
            (Some(size), Some(rows)) => {
                let rows = format!("{} ({})", counted(rows.value, "row"), rows.basis.name());
                format!("{} ({}), {rows}", bytes(size.value), size.basis.name())
            }
            (Some(size), None) => format!("{} ({}), rows not known", bytes(size.value), size.basis.name()),
            (None, _) => "size not known".to_owned(),
        };
        let mut line = match held {
            Some(held) => format!("{}: {size}; {} for {}", self.table, self.lock, range(held)),
            None => format!("{}: {size}; {} for as long", self.table, self.lock),
        };
        let basis = self.wait.basis.name();
        match self.wait.high_ms {
            Some(0) if self.blocked.is_none() => {}
            Some(high) => line.push_str(&format!(", after waiting up to {} ({basis})", duration(high))),
            None => line.push_str(&format!(", after waiting for it ({basis}; {})", self.wait.source)),
        }
        let mut lines = vec![line];
        lines.extend(self.blocked.as_ref().map(|blocked| blocked.line(&self.table)));
        lines
    }
}

impl Blocked {
    fn line(&self, table: &str) -> String {
        let Some(calls) = self.calls_per_hour else {
            return format!("who waits behind it for {table} is not known ({})", self.source);
        };
        let label = match self.source.as_str() {
            "pg_stat_statements" => calls.basis.name().to_owned(),
            other => format!("{}; {other}", calls.basis.name()),
        };
        if calls.value == 0 {
            return format!("nothing is seen to wait behind it for {table} ({label})");
        }
        let pile = match self.most {
            Some(most) if most == self.fewest => number(most),
            Some(most) => format!("{} to {}", number(self.fewest), number(most)),
            None => format!("{} or more", number(self.fewest)),
        };
        let rate_text = rate(calls.value);
        let mut text =
            format!("{rate_text} wait behind it for {table} ({label}), {pile} in all ({})", self.basis.name());
        if let Some(connections) = self.connections {
            text.push_str(&format!("; the server takes {connections} connections"));
        }
        let shown: Vec<_> = self
            .statements
            .iter()
            .take(SHOWN)
            .map(|s| format!("{} {}", rate(s.calls_per_hour.value), cut(&s.text)))
            .collect();
        if !shown.is_empty() {
            text.push_str(&format!(": {}", shown.join(" · ")));
        }
        let more = self.more + u64::try_from(self.statements.len() - shown.len()).unwrap_or(0);
        if more > 0 {
            text.push_str(&format!(" · {more} more"));
        }
        text
    }
}

pub(crate) fn range(range: &Range) -> String {
    let Range { low_ms, high_ms, basis, source } = range;
    let label = format!("{}; {source}", basis.name());
    match high_ms {
        Some(high) if high == low_ms => format!("{} ({label})", duration(*high)),
        Some(high) => format!("{} to {} ({label})", duration(*low_ms), duration(*high)),
        None => format!("{} or more ({label})", duration(*low_ms)),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("`{}…`", text[..at].trim_end()),
        None => format!("`{text}`"),
    }
}

/// `20 ms`, `12 s`, `19 min`, `3.5 h`
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{}.{} h", ms / 3_600_000, ms % 3_600_000 / 360_000),
    }
}

/// `8 kB`, `3.4 GB`
pub(crate) fn bytes(bytes: u64) -> String {
    scaled(bytes, &["B", "kB", "MB", "GB", "TB", "PB", "EB"], " ")
}

/// `12`, `892M`
pub(crate) fn number(n: u64) -> String {
    if n < 10_000 { n.to_string() } else { scaled(n, &["", "k", "M", "G", "T", "P", "E"], "") }
}

pub(super) fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{} {what}s", number(n)) }
}

fn scaled(n: u64, units: &[&str], gap: &str) -> String {
    let mut unit = 0;
    let mut divisor = 1;
    while unit + 1 < units.len() && n / divisor >= 1_000 {
        (unit, divisor) = (unit + 1, divisor * 1_000);
    }
    let (whole, tenth) = (n / divisor, n % divisor * 10 / divisor);
    let fraction = if whole < 10 && unit > 0 { format!(".{tenth}") } else { String::new() };
    format!("{whole}{fraction}{gap}{}", units[unit])
}

/// `237/s`, `12/min`, `3/h`
pub(super) fn rate(per_hour: u64) -> String {
    match per_hour {
        0..60 => format!("{per_hour}/h"),
        60..3_600 => format!("{}/min", per_hour / 60),
        _ => format!("{}/s", number(per_hour / 3_600)),
    }
}

/// What `n_distinct` says: the share of the rows, and the number in words.
#[allow(clippy::cast_precision_loss, reason = "a share")]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below zero; the conversion saturates")]
pub(super) fn distinct(distinct: f64, rows: u64) -> (f64, String) {
    let count = if distinct < 0.0 { -distinct * rows as f64 } else { distinct };
    (count / (rows.max(1) as f64), number(count as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_two_digits() {
        let check = |text: String, expected: &str| assert_eq!(text, expected);
        check(duration(0), "0 ms");
        check(duration(1_940), "1.9 s");
        check(duration(119_999), "119 s");
        check(duration(1_140_000), "19 min");
        check(duration(12_600_000), "3.5 h");
        check(bytes(0), "0 B");
        check(bytes(8_192), "8.1 kB");
        check(bytes(34_000_000_000), "34 GB");
        check(bytes(u64::MAX), "18 EB");
        check(number(9_999), "9999");
        check(number(892_000_000), "892M");
        check(rate(59), "59/h");
        check(rate(3_599), "59/min");
        check(rate(853_200), "237/s");
    }
}
