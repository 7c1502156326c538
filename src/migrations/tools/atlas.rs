//! Atlas: `<version>[_<name>].sql` in the order of their names, beside `atlas.sum`. Directives stand in the comments at the top of a file:
//! `-- atlas:txmode none`, `-- atlas:delimiter "…"`, `-- atlas:checkpoint` (the sum of the files before it, for new databases only).

use super::{AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::sure;
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::script::{Script, comment, divided};
use crate::migrations::tree::Tree;

pub(super) static TOOL: Tool = Tool {
    history: Some(History::new(
        "atlas_schema_revisions.atlas_schema_revisions",
        HistoryRows::Applied,
        false,
        Sign::new(&["atlas_schema_revisions"], &["version", "applied", "total", "hash"]),
    )),
    own: Own::inside("atlas_schema_revisions", &["atlas_schema_revisions"]),
    script: |text| Ok(script(text)),
    outside_transaction: Some("-- atlas:txmode none\n"),
    at_start: Some(AtStart {
        behind: Behind::Untold { until: "`atlas migrate set` has recorded it" },
        without: "leave `atlas migrate apply` out of its start",
        lock: ToolLock::Waits { limit: Some(10) },
    }),
    ..Tool::new("atlas", "Atlas", |tree| sure(tree.has(SUMS), Convention::Atlas), list)
};

/// The sums of the files.
pub(super) const SUMS: &str = "atlas.sum";

/// The value of a directive at the top of a file.
fn directive<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let top = text.lines().map_while(comment);
    let mut values = top.filter_map(|line| line.strip_prefix("atlas:")?.strip_prefix(name));
    values.next().map(str::trim)
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    for path in tree.top_sql() {
        let stem = path.file_stem().unwrap_or_default();
        let (version, name) = stem.split_once('_').unwrap_or((stem, ""));
        let is_first = found.is_empty();
        if is_first || directive(&tree.text(path)?, "checkpoint").is_none() {
            found.push(Found::new(version, name, path));
        }
    }
    Ok(found)
}

fn script(text: &str) -> Script {
    let delimiter = directive(text, "delimiter").map(|value| {
        let value = value.trim_matches('"');
        value.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r")
    });
    Script {
        parts: divided(text, 0..text.len(), delimiter.as_deref().unwrap_or_default()),
        in_transaction: directive(text, "txmode") != Some("none"),
    }
}
