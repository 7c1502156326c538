//! `${name}`: Flyway replaces it anywhere in a file, goose (3.21 and later) where a file says `ENVSUB ON`.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::load::LoadError;
use super::{Convention, detect, goose};
use crate::source::Sources;

/// The values that count: those given, before those of the tool's own configuration. `None`: the convention has no placeholders.
pub(super) fn values(
    convention: Convention,
    folder: &Utf8Path,
    given: &BTreeMap<String, String>,
) -> Result<Option<BTreeMap<String, String>>, LoadError> {
    match convention {
        Convention::Flyway => {
            let mut values = BTreeMap::new();
            for dir in detect::above(folder) {
                for name in ["flyway.conf", "conf/flyway.conf", "flyway.toml"] {
                    let path = dir.join(name);
                    if path.is_file() {
                        configured(&path, &fs_err::read_to_string(&path)?, &mut values)?;
                    }
                }
            }
            if values.get(REPLACEMENT).is_some_and(|value| value == "false") {
                return Ok(None);
            }
            values.extend(given.clone());
            Ok(Some(values))
        }
        Convention::Goose => Ok(Some(given.clone())),
        _ => Ok(None),
    }
}

/// The setting that turns placeholders off, kept among the values: no placeholder has such a name.
const REPLACEMENT: &str = "\0placeholderReplacement";

fn configured(path: &Utf8Path, text: &str, values: &mut BTreeMap<String, String>) -> Result<(), LoadError> {
    if path.extension() == Some("toml") {
        let bad = |message: String| LoadError::BadFile { path: path.to_owned(), message };
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| bad(e.message().to_owned()))?;
        let flyway = table.get("flyway").and_then(toml::Value::as_table);
        if let Some(on) = flyway.and_then(|f| f.get("placeholderReplacement")).and_then(toml::Value::as_bool) {
            values.insert(REPLACEMENT.to_owned(), on.to_string());
        }
        let found = flyway.and_then(|f| f.get("placeholders")).and_then(toml::Value::as_table);
        for (name, value) in found.into_iter().flatten() {
            values.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        return Ok(());
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        let name = match key.trim() {
            "flyway.placeholderReplacement" => Some(REPLACEMENT),
            key => key.strip_prefix("flyway.placeholders."),
        };
        if let Some(name) = name {
            values.insert(name.to_owned(), value.trim().to_owned());
        }
    }
    Ok(())
}

/// A text with its placeholders replaced.
pub(super) fn substitute(
    convention: Convention,
    path: &Utf8PathBuf,
    text: String,
    values: &BTreeMap<String, String>,
) -> Result<String, LoadError> {
    let mut on = convention == Convention::Flyway;
    if !text.contains("${") {
        return Ok(text);
    }
    let mut replaced = String::with_capacity(text.len());
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        match goose::annotation(line).as_deref() {
            Some("envsub on") => on = true,
            Some("envsub off") => on = false,
            _ => {}
        }
        let mut rest = line;
        while let Some(start) = rest.find("${").filter(|_| on) {
            let Some(length) = rest[start..].find('}') else { break };
            let name = &rest[start + 2..start + length];
            let Some(value) = values.get(name) else {
                let mut sources = Sources::new();
                let file = sources.add(path.clone(), text.as_str());
                let offset = at + (line.len() - rest.len()) + start;
                let place = sources.file(file).line_column(u32::try_from(offset).unwrap_or(u32::MAX));
                let name = name.to_owned();
                return Err(LoadError::Placeholder {
                    path: path.clone(),
                    line: place.line,
                    column: place.column,
                    name,
                });
            };
            replaced.push_str(&rest[..start]);
            replaced.push_str(value);
            rest = &rest[start + length + 1..];
        }
        replaced.push_str(rest);
        at += line.len();
    }
    Ok(replaced)
}
