//! Supabase: `<number>_<name>.sql` in `supabase/migrations`, by number; not in subfolders. Names that do not fit are passed over, as its own
//! command line does. Source: the Supabase documentation, "Database Migrations".

use super::{AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::sure;
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;
use crate::migrations::version::Version;

pub(super) static TOOL: Tool = Tool {
    history: Some(History {
        keeps_text: true,
        ..History::new(
            "supabase_migrations.schema_migrations",
            HistoryRows::Applied,
            true,
            Sign { schema: Some("supabase_migrations"), ..Sign::new(&["schema_migrations"], &["version"]) },
        )
    }),
    own: Own::inside("supabase_migrations", &["schema_migrations", "seed_files"]),
    at_start: Some(AtStart {
        behind: Behind::Stops { unless: None },
        without: "leave `supabase db push` out of its deployment",
        lock: ToolLock::None,
    }),
    ..Tool::new(
        "supabase",
        "Supabase",
        |tree| sure(is_here(tree) && !numbered(tree).is_empty(), Convention::Supabase),
        list,
    )
};

/// What stands beside the folder `migrations`.
const CONFIG: &str = "config.toml";

/// Whether a folder is where Supabase looks for migrations.
pub(super) fn is_here(tree: &Tree<'_>) -> bool {
    let root = tree.root.canonicalize_utf8().unwrap_or_else(|_| tree.root.to_owned());
    let Some(project) = root.parent().filter(|_| root.file_name() == Some("migrations")) else { return false };
    project.file_name() == Some("supabase")
        || std::fs::read_to_string(project.join(CONFIG)).is_ok_and(|text| text.contains("project_id"))
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    Ok(numbered(tree))
}

fn numbered(tree: &Tree<'_>) -> Vec<Found> {
    let named = tree.top_sql().filter_map(|path| {
        let (version, name) = path.as_str().strip_suffix(".sql")?.split_once('_')?;
        let digits = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| Found::new(version, name, path))
    });
    let mut found: Vec<_> = named.collect();
    found.sort_by(|a, b| Version::cmp(&a.version, &b.version));
    found
}
