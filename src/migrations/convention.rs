//! What a convention says of itself and of a history. The facts stand in `tools/`, one file a tool.

use camino::Utf8Path;

use super::tools::{AtStart, Behind, Convention, History, ToolLock};
use super::version::Version;

/// A tool's own history table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryTable {
    /// Its name, found by the search path, or with its schema.
    pub name: &'static str,
    /// What its rows say.
    pub rows: HistoryRows,
    /// Whether this tool writes it too. Otherwise what it applied stands in `cutover.migration`, and the team tells its tool.
    pub written: bool,
}

/// What the rows of a history table say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRows {
    /// A row for each migration that was applied.
    Applied,
    /// One row: everything up to this version was applied.
    Current,
}

/// A row of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The version, or what stands for it.
    pub version: String,
    /// Whether it is a baseline: everything at or below it counts as applied.
    pub floor: bool,
}

impl Recorded {
    /// A migration that was applied.
    pub fn new(version: impl Into<String>) -> Self {
        Self { version: version.into(), floor: false }
    }
}

/// A migration of a folder, as far as a history can name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Its version, spelled as the history's are.
    pub version: &'a str,
    /// SHA-256 of its file, in hex.
    pub sha256: &'a str,
}

impl Convention {
    /// The name used on the command line and in plans.
    pub const fn name(self) -> &'static str {
        self.tool().name
    }

    /// The tool's own history table. `None` for plain folders: their history is this tool's own (`cutover.migration`).
    pub const fn history(self) -> Option<HistoryTable> {
        match &self.tool().history {
            Some(history) => Some(history.table),
            None => None,
        }
    }

    /// What becomes of an application that runs its migrations when it starts, as a row of a Markdown table: one of the older version, once a version has run
    /// that its files lack; how one of the new version is kept from running what is pending; and either while another one migrates.
    pub fn at_start(self) -> Option<String> {
        let AtStart { behind, without, lock } = self.tool().at_start.as_ref()?;
        let (behind, until) = match behind {
            Behind::Starts => ("starts".to_owned(), String::new()),
            Behind::Stops { unless: None } => ("stops".to_owned(), String::new()),
            Behind::Stops { unless: Some(setting) } => (format!("stops, unless {setting}"), String::new()),
            Behind::Untold { until } => {
                ("starts: its history is not written".to_owned(), format!(", also afterwards until {until}"))
            }
        };
        let lock = match lock {
            ToolLock::None => "starts".to_owned(),
            ToolLock::Waits { limit: None } => "waits".to_owned(),
            ToolLock::Waits { limit: Some(seconds) } => format!("waits {seconds} s, then stops"),
            ToolLock::Stops => "stops".to_owned(),
            ToolLock::Unknown => "not known".to_owned(),
        };
        Some(format!("| {} | {behind} | {without}{until} | {lock} |", self.tool().label))
    }

    /// One spelling for each version: leading zeros of numbers and diesel's dashes do not count.
    pub fn version_key(self, version: &str) -> String {
        (self.tool().version_key)(version)
    }

    /// Whether a version is that of a migration that runs again whenever its text changes, as Flyway's `R__name.sql`.
    pub fn is_repeatable(self, version: &str) -> bool {
        (self.tool().is_repeatable)(version)
    }

    /// Whether a migration may be applied out of order, as refinery's `U1__name.sql`.
    pub(crate) fn applies_anytime(self, path: &Utf8Path) -> bool {
        (self.tool().applies_anytime)(path)
    }

    /// Whether the history can only say "everything up to here", so that a migration is recorded when all before it are complete.
    pub const fn records_in_order(self) -> bool {
        matches!(self.history(), Some(HistoryTable { rows: HistoryRows::Current, .. }))
    }

    /// What a history's rows say of the migrations of a folder, in the folder's order, as versions of the folder; and the versions that the
    /// folder does not have. With a current version only, all before it are applied; what stands at or below a baseline never runs; what is
    /// older than a dump of the whole schema is part of it.
    pub fn applied(self, rows: &[Recorded], ordered: &[Listed<'_>]) -> (Vec<String>, Vec<String>) {
        let knows_by_sum = matches!(&self.tool().history, Some(History { knows_by_sum: true, .. }));
        let same = |row: &Recorded, listed: &Listed<'_>| match knows_by_sum {
            true => row.version == listed.sha256 || row.version == listed.version,
            false => Version::new(row.version.as_str()).cmp(&Version::new(listed.version)) == std::cmp::Ordering::Equal,
        };
        let is_versioned = |listed: &Listed<'_>| !self.is_repeatable(listed.version);
        let known = |listed: &Listed<'_>| rows.iter().any(|row| same(row, listed));
        // Everything up to here is applied.
        let mut up_to = None;
        if self.records_in_order() || knows_by_sum {
            up_to = ordered.iter().rposition(known);
        }
        for floor in rows.iter().filter(|row| row.floor) {
            let at = ordered.iter().rposition(|listed| same(floor, listed)).or_else(|| {
                let floor = Version::new(floor.version.as_str());
                ordered.iter().rposition(|listed| is_versioned(listed) && Version::new(listed.version) <= floor)
            });
            up_to = up_to.max(at);
        }
        let below = |at: usize| up_to.is_some_and(|up_to| at <= up_to) && is_versioned(&ordered[at]);
        let done = (0..ordered.len()).filter(|at| below(*at) || known(&ordered[*at]));
        let done = done.map(|at| ordered[at].version.to_owned()).collect();
        let number = |version: &str| version.parse::<u128>().ok();
        let dump = ordered.first().and_then(|first| number(first.version)).filter(|_| self.tool().begins_with_dump);
        let unknown = rows.iter().filter(|row| {
            let in_dump = dump.zip(number(&row.version)).is_some_and(|(first, row)| row < first);
            !row.floor && !in_dump && !ordered.iter().any(|listed| same(row, listed))
        });
        (done, unknown.map(|row| row.version.clone()).collect())
    }

    /// Whether the tool's history holds a migration's text, or a checksum of its own over it.
    pub const fn keeps_text(self) -> bool {
        matches!(&self.tool().history, Some(History { keeps_text: true, .. }))
    }

    /// Whether what was applied is recorded in `cutover.migration`.
    pub const fn records_here(self) -> bool {
        match self.history() {
            Some(table) => !table.written,
            None => true,
        }
    }
}

impl std::fmt::Display for Convention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Convention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|c| c.name() == text).ok_or_else(|| {
            let mut names: Vec<_> = Self::ALL.iter().map(|c| c.name()).collect();
            names.sort_unstable();
            format!("unknown convention {text:?}; known: {}", names.join(", "))
        })
    }
}
