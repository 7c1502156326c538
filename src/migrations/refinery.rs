//! refinery: `V1__name.sql`, `U1__name.sql` (applies out of order), in any subfolder.

use camino::Utf8PathBuf;

use super::Convention;
use super::detect::Found;
use super::load::{LoadError, Version};

/// refinery's pattern `^([U|V])(\d+(?:\.\d+)?)__(\w+)\.sql$`, without the `|` that its class lets in and then panics on.
pub(super) fn parse(path: &Utf8PathBuf) -> Option<Found> {
    let stem = path.file_name()?.strip_suffix(".sql")?;
    let rest = stem.strip_prefix(['V', 'U'])?;
    let (version, name) = rest.split_once("__")?;
    let (whole, fraction) = version.split_once('.').unwrap_or((version, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (digits(whole) && digits(fraction) && word).then(|| Found {
        version: Version::new(version),
        name: name.to_owned(),
        path: path.clone(),
    })
}

pub(super) fn list(paths: &[Utf8PathBuf]) -> Result<Vec<Found>, LoadError> {
    let found: Vec<_> = paths.iter().filter_map(parse).collect();
    match found.iter().find(|f| f.version.as_str().parse::<i64>().is_err()) {
        Some(bad) => Err(LoadError::BadName {
            path: bad.path.clone(),
            convention: Convention::Refinery,
            reason: format!("version {} is not a whole number of 64 bits", bad.version),
        }),
        None => Ok(found
            .into_iter()
            .map(|f| Found { version: Version::new(f.version.as_str().trim_start_matches('0').to_owned()), ..f })
            .map(|f| if f.version.as_str().is_empty() { Found { version: Version::new("0"), ..f } } else { f })
            .collect()),
    }
}
