//! Supabase: `<number>_<name>.sql` in `supabase/migrations`, by number; not in subfolders. Names that do not fit are passed over, as its own
//! command line does. Source: the Supabase documentation, "Database Migrations".

use super::load::{Found, LoadError, Version};
use super::tree::Tree;

/// What stands beside the folder `migrations`.
const CONFIG: &str = "config.toml";

/// Whether a folder is where Supabase looks for migrations.
pub(super) fn is_here(tree: &Tree<'_>) -> bool {
    let root = tree.root.canonicalize_utf8().unwrap_or_else(|_| tree.root.to_owned());
    let Some(project) = root.parent().filter(|_| root.file_name() == Some("migrations")) else { return false };
    project.file_name() == Some("supabase")
        || std::fs::read_to_string(project.join(CONFIG)).is_ok_and(|text| text.contains("project_id"))
}

pub(super) fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let named = tree.top_sql().filter_map(|path| {
        let (version, name) = path.as_str().strip_suffix(".sql")?.split_once('_')?;
        let digits = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| Found::new(version, name, path))
    });
    let mut found: Vec<_> = named.collect();
    found.sort_by(|a, b| Version::cmp(&a.version, &b.version));
    Ok(found)
}
