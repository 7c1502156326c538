//! refinery: `V1__name.sql`, `U1__name.sql` (applies out of order), in any subfolder.

use camino::Utf8PathBuf;

use super::{AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock, bad_name, flyway, whole_number};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::{Detected, ambiguous, beside, in_cargo_toml, unmixed};
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;
use crate::migrations::version::Version;

pub(super) static TOOL: Tool = Tool {
    history: Some(History {
        keeps_text: true,
        ..History::new(
            "refinery_schema_history",
            HistoryRows::Applied,
            true,
            Sign::new(&["refinery_schema_history"], &["version", "name", "applied_on", "checksum"]),
        )
    }),
    own: Own::anywhere(&["refinery_schema_history"]),
    version_key: whole_number,
    prefixes: &['V', 'v', 'U', 'u'],
    applies_anytime: |path| path.file_name().is_some_and(|name| name.starts_with('U')),
    at_start: Some(AtStart {
        behind: Behind::Stops { unless: Some("`Runner::set_abort_missing(false)`") },
        without: "leave `Runner::run` out of its start",
        lock: ToolLock::None,
    }),
    ..Tool::new("refinery", "refinery", detect, list)
};

/// `V1__x.sql` is a name of Flyway's, too; so is `U1__x.sql`, with the opposite meaning.
fn detect(tree: &Tree<'_>) -> Result<Option<Detected>, LoadError> {
    if !tree.sql().any(|path| flyway::owns(path)) {
        return Ok(None);
    }
    let is_refinery = beside(tree, &["refinery.toml"]) || in_cargo_toml(tree, "refinery");
    // Only Flyway has these.
    let only_flyway = tree.sql().any(|path| flyway::owns(path) && parse(path).is_none());
    match (flyway::is_here(tree) || only_flyway, is_refinery) {
        (true, false) => return Ok(None),
        (true, true) => return Err(ambiguous(tree, "both Flyway's and refinery's files or settings are here")),
        (false, _) => {}
    }
    if let Some(path) = tree.sql().find(|path| path.file_name().is_some_and(|name| name.starts_with('U')))
        && !is_refinery
    {
        let reason = format!("{path} is a forward migration to refinery and an undo script to Flyway");
        return Err(ambiguous(tree, &reason));
    }
    unmixed(tree, tree.sql(), Convention::Refinery, |path| parse(path).is_some())?;
    // Flyway replaces `${name}`, and refinery does not.
    if !is_refinery && tree.sql().any(|path| tree.text(path).is_ok_and(|text| text.contains("${"))) {
        return Err(ambiguous(tree, "`${…}` is a placeholder to Flyway and plain text to refinery"));
    }
    let alike = if is_refinery { Vec::new() } else { vec![Convention::Flyway] };
    Ok(Some(Detected { convention: Convention::Refinery, alike }))
}

/// refinery's pattern `^([U|V])(\d+(?:\.\d+)?)__(\w+)\.sql$`, without the `|` that its class lets in and then panics on.
fn parse(path: &Utf8PathBuf) -> Option<Found> {
    let stem = path.file_name()?.strip_suffix(".sql")?;
    let rest = stem.strip_prefix(['V', 'U'])?;
    let (version, name) = rest.split_once("__")?;
    let (whole, fraction) = version.split_once('.').unwrap_or((version, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (digits(whole) && digits(fraction) && word).then(|| Found::new(version, name, path))
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found: Vec<_> = tree.sql().filter_map(parse).collect();
    for migration in &mut found {
        let number: i64 = migration.version.as_str().parse().map_err(|_| {
            let reason = format!("version {} is not a whole number of 64 bits", migration.version);
            bad_name(&migration.path, Convention::Refinery, reason)
        })?;
        migration.version = Version::new(number.to_string());
    }
    found.sort_by(|a, b| a.version.cmp(&b.version));
    Ok(found)
}
