//! refinery: `V1__name.sql`, `U1__name.sql` (applies out of order), in any subfolder.

use camino::Utf8PathBuf;

use super::Convention;
use super::load::{Found, LoadError, Version};
use super::tree::Tree;

/// refinery's pattern `^([U|V])(\d+(?:\.\d+)?)__(\w+)\.sql$`, without the `|` that its class lets in and then panics on.
pub(super) fn parse(path: &Utf8PathBuf) -> Option<Found> {
    let stem = path.file_name()?.strip_suffix(".sql")?;
    let rest = stem.strip_prefix(['V', 'U'])?;
    let (version, name) = rest.split_once("__")?;
    let (whole, fraction) = version.split_once('.').unwrap_or((version, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (digits(whole) && digits(fraction) && word).then(|| Found::new(version, name, path))
}

pub(super) fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found: Vec<_> = tree.sql().filter_map(parse).collect();
    for migration in &mut found {
        let number: i64 = migration.version.as_str().parse().map_err(|_| LoadError::BadName {
            path: migration.path.clone(),
            convention: Convention::Refinery,
            reason: format!("version {} is not a whole number of 64 bits", migration.version),
        })?;
        migration.version = Version::new(number.to_string());
    }
    found.sort_by(|a, b| a.version.cmp(&b.version));
    Ok(found)
}
