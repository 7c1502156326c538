//! `${name}`: Flyway replaces it anywhere in a file, goose (3.21 and later) where a file says `ENVSUB ON`, also `$name` and
//! `${name:-default}`.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::LoadError;
use super::tools::{Convention, Placeholders};
use crate::source::Sources;

/// What the placeholders of a folder stand for.
pub(super) struct Values {
    values: BTreeMap<String, String>,
    rules: &'static Placeholders,
}

/// The values that count: those given, before those of the tool's own configuration. `None`: there are no placeholders.
pub(super) fn values(
    convention: Convention,
    folder: &Utf8Path,
    given: &BTreeMap<String, String>,
) -> Result<Option<Values>, LoadError> {
    let Some(rules) = &convention.tool().placeholders else { return Ok(None) };
    let Some(mut values) = (rules.configured)(folder)? else { return Ok(None) };
    values.extend(given.clone());
    Ok(Some(Values { values, rules }))
}

/// What stands at a dollar sign.
enum Reference<'a> {
    /// Nothing that is replaced: so many bytes of text.
    None(usize),
    /// A name, perhaps with what counts where it has no value.
    Named { name: &'a str, default: Option<Fallback<'a>>, length: usize },
    /// A form of the shell's that is not read.
    Other(&'a str),
}

#[derive(Clone, Copy)]
struct Fallback<'a> {
    text: &'a str,
    /// Whether it also counts where the value is empty (`:-`).
    if_empty: bool,
}

/// Reads `${name}`, and as in a shell also `${name:-default}`, `${name-default}` and `$name`.
fn reference(text: &str, as_in_a_shell: bool) -> Reference<'_> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if !text.starts_with("${") {
        let length = text[1..].bytes().position(|b| !is_name(b)).map_or(text.len(), |end| end + 1);
        let named = text.as_bytes().get(1).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
        // `$body$` begins a string.
        if !as_in_a_shell || !named || text[length..].starts_with('$') {
            let quoted = named && text[length..].starts_with('$');
            return Reference::None(if quoted { length + 1 } else { 1 });
        }
        return Reference::Named { name: &text[1..length], default: None, length };
    }
    let mut depth = 0_usize;
    let close = text.char_indices().find(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        *at > 1 && depth == 0
    });
    let Some((close, _)) = close else { return Reference::None(2) };
    let (inner, length) = (&text[2..close], close + 1);
    if !as_in_a_shell {
        return Reference::Named { name: inner, default: None, length };
    }
    let end = inner.bytes().position(|b| !is_name(b)).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    let fallback = |text, if_empty| Reference::Named { name, default: Some(Fallback { text, if_empty }), length };
    match (rest.strip_prefix(":-"), rest.strip_prefix('-')) {
        _ if rest.is_empty() => Reference::Named { name, default: None, length },
        (Some(text), _) => fallback(text, true),
        (None, Some(text)) => fallback(text, false),
        (None, None) => Reference::Other(&text[..length]),
    }
}

impl Values {
    /// A text with its placeholders replaced.
    pub(super) fn substitute(&self, path: &Utf8PathBuf, text: String) -> Result<String, LoadError> {
        let Self { values, rules } = self;
        let mut on = !rules.as_in_a_shell;
        if !text.contains('$') {
            return Ok(text);
        }
        let mut replaced = String::with_capacity(text.len());
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            on = (rules.switch)(line).unwrap_or(on);
            let mut rest = line;
            while let Some(start) = rest.find('$').filter(|_| on) {
                let place = || {
                    let mut sources = Sources::new();
                    let file = sources.add(path.clone(), text.as_str());
                    let offset = at + (line.len() - rest.len()) + start;
                    sources.file(file).line_column(u32::try_from(offset).unwrap_or(u32::MAX))
                };
                let missing = |name: &str| {
                    let (place, name) = (place(), name.to_owned());
                    LoadError::Placeholder { path: path.clone(), line: place.line, column: place.column, name }
                };
                let (value, length) = match reference(&rest[start..], rules.as_in_a_shell) {
                    Reference::None(length) => (rest[start..start + length].to_owned(), length),
                    Reference::Named { name, default, length } => {
                        let known =
                            values.get(name).filter(|value| !default.is_some_and(|d| d.if_empty) || !value.is_empty());
                        let value = match (known, default) {
                            (Some(value), _) => value.clone(),
                            (None, Some(default)) if default.text.contains('$') => return Err(missing(name)),
                            (None, Some(default)) => default.text.to_owned(),
                            (None, None) => return Err(missing(name)),
                        };
                        (value, length)
                    }
                    Reference::Other(what) => {
                        let place = place();
                        let message =
                            format!("{}:{}: {what} is not read here; write the value itself", place.line, place.column);
                        return Err(LoadError::BadFile { path: path.clone(), message });
                    }
                };
                replaced.push_str(&rest[..start]);
                replaced.push_str(&value);
                rest = &rest[start + length..];
            }
            replaced.push_str(rest);
            at += line.len();
        }
        Ok(replaced)
    }
}
