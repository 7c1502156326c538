//! `CUTOVER_SECTION_SETTING`: what environment variables say instead of `cutover.toml`.

use std::borrow::Cow;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::schema::{WHOLE, allows};

/// What all of them begin with.
const PREFIX: &str = "CUTOVER_";

/// Environment variables that stand for settings: `CUTOVER_RELEASE_LOCK_TIMEOUT` for `lock-timeout` of `[release]`. Sections that people name, such
/// as `[traffic.edge]`, must be in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// Picks those out of an environment that stand for settings.
    pub fn of(environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all: Vec<_> = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        if !all.is_empty() {
            let sections: Vec<String> =
                WHOLE["properties"].as_object().into_iter().flatten().map(|(name, _)| shouted(name) + "_").collect();
            let rest = |name: &str| {
                name.strip_prefix(PREFIX).is_some_and(|rest| sections.iter().any(|section| rest.starts_with(section)))
            };
            all.retain(|(name, _)| rest(name));
        }
        all.sort();
        Self(all)
    }

    /// Those that say something of a section.
    pub(super) fn about<'a>(&'a self, section: &str, name: &str) -> impl Iterator<Item = &'a str> {
        let start = format!("{PREFIX}{}_{}_", shouted(section), shouted(name));
        self.0.iter().map(|(variable, _)| variable.as_str()).filter(move |variable| variable.starts_with(&start))
    }

    /// The name of one.
    pub(super) fn name(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(|(name, _)| name.as_str())
    }

    /// Puts them into a document. The n-th stands at `end + n` there. An error says which is wrong, and why.
    pub(super) fn put<'a>(&'a self, document: &mut DeTable<'a>, end: usize) -> Result<(), (usize, String)> {
        for (index, (name, text)) in self.0.iter().enumerate() {
            let at = end + index;
            let rest = name.strip_prefix(PREFIX).unwrap_or(name);
            let (path, setting) = find(&WHOLE, Some(document), rest).map_err(|why| (at, why))?;
            if is_section(setting) && !text.trim_start().starts_with('{') {
                return Err((at, "it stands for a whole section: write it as a table of TOML, { … }".to_owned()));
            }
            set(document, &path, value(setting, text), at);
        }
        Ok(())
    }
}

/// A name as environment variables have it.
fn shouted(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// The setting of a name, by the schema and by the sections that are there.
fn find<'s>(schema: &'s Value, table: Option<&DeTable<'_>>, rest: &str) -> Result<(Vec<String>, &'s Value), String> {
    let below = |name: &str| table.and_then(|table| table.get(name)).and_then(|one| one.get_ref().as_table());
    let mut deepest = None;
    let mut go = |name: &str, one: &'s Value| -> Option<(Vec<String>, &'s Value)> {
        let own = shouted(name);
        if rest == own {
            return Some((vec![name.to_owned()], one));
        }
        let found = find(one, below(name), rest.strip_prefix(&own)?.strip_prefix('_')?);
        match found {
            Ok((mut path, setting)) => {
                path.insert(0, name.to_owned());
                Some((path, setting))
            }
            Err(why) => {
                deepest = Some(why);
                None
            }
        }
    };
    if let Some(found) = schema["properties"].as_object().into_iter().flatten().find_map(|(name, one)| go(name, one)) {
        return Ok(found);
    }
    let named = &schema["additionalProperties"];
    if named.is_object() {
        let mut names: Vec<String> = table.into_iter().flatten().map(|(name, _)| name.get_ref().to_string()).collect();
        names.sort_by_key(|name| (std::cmp::Reverse(name.len()), name.clone()));
        for name in &names {
            if let Some(other) = names.iter().find(|other| *other != name && shouted(other) == shouted(name)) {
                return Err(format!("it may be about {name} or about {other}: a variable cannot tell the two"));
            }
            if let Some(found) = go(name, of_kind(named, below(name))) {
                return Ok(found);
            }
        }
        return Err(deepest.unwrap_or_else(|| {
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            format!("the file has nothing of that name there (it has {there}); a variable changes what is there")
        }));
    }
    let known: Vec<&str> =
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    Err(deepest.unwrap_or_else(|| match known.is_empty() {
        true => "it stands for no setting".to_owned(),
        false => format!("it stands for no setting; there are {} at that place", known.join(", ")),
    }))
}

/// Whether settings stand below it.
fn is_section(schema: &Value) -> bool {
    schema["properties"].is_object() || schema["additionalProperties"].is_object()
}

/// The schema of a section that says its kind.
pub(super) fn of_kind<'s>(schema: &'s Value, section: Option<&DeTable<'_>>) -> &'s Value {
    let kind = section.and_then(|section| section.get("kind")).and_then(|kind| kind.get_ref().as_str());
    let kinds = schema["oneOf"].as_array().into_iter().flatten();
    kinds.into_iter().find(|one| one["properties"]["kind"]["const"].as_str() == kind).unwrap_or(schema)
}

/// What a text says for a setting. Lists and tables are written as in TOML; what may be a text is one.
fn value<'a>(setting: &Value, text: &'a str) -> DeValue<'a> {
    let as_toml = || DeValue::parse(text).ok().map(Spanned::into_inner);
    let own = || DeValue::String(Cow::Borrowed(text));
    let first = text.trim_start().chars().next();
    match first {
        Some('[') if allows(setting, "array") => as_toml().unwrap_or_else(own),
        Some('{') if allows(setting, "object") || is_section(setting) => as_toml().unwrap_or_else(own),
        _ if allows(setting, "string") => own(),
        _ if allows(setting, "array") => {
            let mut list = toml::de::DeArray::new();
            list.push(Spanned::new(0..0, own()));
            DeValue::Array(list)
        }
        _ => as_toml().unwrap_or_else(own),
    }
}

/// Puts a value at its place, which is `at` for whoever asks where it stands.
fn set<'a>(table: &mut DeTable<'a>, path: &[String], value: DeValue<'a>, at: usize) {
    let Some((first, below)) = path.split_first() else { return };
    let key = Spanned::new(at..at, Cow::Owned(first.clone()));
    if below.is_empty() {
        table.insert(key, placed(value, at));
        return;
    }
    if !matches!(table.get(first.as_str()).map(Spanned::get_ref), Some(DeValue::Table(_))) {
        table.insert(key, Spanned::new(at..at, DeValue::Table(DeTable::new())));
    }
    if let Some(DeValue::Table(section)) = table.get_mut(first.as_str()).map(Spanned::get_mut) {
        set(section, below, value, at);
    }
}

/// A value that stands at `at`, with all that is in it.
fn placed(value: DeValue<'_>, at: usize) -> Spanned<DeValue<'_>> {
    let value = match value {
        DeValue::Array(list) => DeValue::Array(list.into_iter().map(|one| placed(one.into_inner(), at)).collect()),
        DeValue::Table(table) => {
            let pairs = table
                .into_iter()
                .map(|(key, one)| (Spanned::new(at..at, key.into_inner()), placed(one.into_inner(), at)));
            DeValue::Table(pairs.collect())
        }
        plain => plain,
    };
    Spanned::new(at..at, value)
}
