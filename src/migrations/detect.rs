//! Which convention a folder follows, from its names and a look at what stands beside it. What two tools would read differently is refused.

use camino::{Utf8Path, Utf8PathBuf};

use super::load::{LoadError, Version};
use super::{Convention, diesel, refinery, sqlx};

/// A migration found by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) version: Version,
    pub(super) name: String,
    pub(super) path: Utf8PathBuf,
}

pub(super) fn detect(folder: &Utf8Path, sql: &[Utf8PathBuf]) -> Result<Convention, LoadError> {
    if let Some(path) = sql.iter().find(|p| p.file_name() == Some("migration.sql") && p.parent() != Some("".into())) {
        return Err(LoadError::Unsupported { path: folder.join(path), tool: "Prisma" });
    }
    let in_diesel = |path: &&Utf8PathBuf| diesel::owns(path);
    if sql.iter().any(|p| diesel::owns(p)) {
        return unmixed(folder, sql, Convention::Diesel, in_diesel);
    }
    if sql.iter().any(|p| refinery::parse(p).is_some()) {
        let undo_or_unversioned = sql.iter().find(|p| p.file_name().is_some_and(|n| n.starts_with('U')));
        if let Some(path) = undo_or_unversioned
            && !beside(folder, &["refinery.toml"])
            && !mentioned_in_cargo_toml(folder)
        {
            return Err(LoadError::Ambiguous {
                folder: folder.to_owned(),
                reason: format!("{path} is a forward migration to refinery and an undo script to Flyway"),
            });
        }
        if beside(folder, &["flyway.conf", "flyway.toml"]) {
            return Err(LoadError::Unsupported { path: folder.to_owned(), tool: "Flyway" });
        }
        return unmixed(folder, sql, Convention::Refinery, |p| refinery::parse(p).is_some());
    }
    let top: Vec<_> = sql.iter().filter(|p| p.components().count() == 1).cloned().collect();
    let in_sqlx = |path: &&Utf8PathBuf| sqlx::parse(path).is_some();
    if top.iter().any(|p| sqlx::parse(p).is_some()) {
        let convention = unmixed(folder, &top, Convention::Sqlx, in_sqlx)?;
        let numbers: Vec<_> = top.iter().filter_map(sqlx::parse).map(|found| found.version).collect();
        if !numbers.is_sorted() && !beside(folder, &["sqlx.toml", ".sqlx", "sqlx-data.json"]) {
            return Err(LoadError::Ambiguous {
                folder: folder.to_owned(),
                reason: "its files stand in another order by number (sqlx) than by name (plain)".to_owned(),
            });
        }
        return Ok(convention);
    }
    Ok(Convention::Plain)
}

/// The convention, unless some files do not belong to it: its tool would silently pass over them.
fn unmixed(
    folder: &Utf8Path,
    sql: &[Utf8PathBuf],
    convention: Convention,
    owns: impl Fn(&&Utf8PathBuf) -> bool,
) -> Result<Convention, LoadError> {
    let (fits, others): (Vec<_>, Vec<_>) = sql.iter().partition(|p| owns(p));
    match (fits.first(), others.first()) {
        (Some(example), Some(other)) => Err(LoadError::Mixed {
            folder: folder.to_owned(),
            convention,
            fits: format!("{} are named as", fits.len()),
            example: (*example).clone(),
            rest: others.len(),
            other: (*other).clone(),
        }),
        _ => Ok(convention),
    }
}

/// Whether one of the files stands in the folder or one of the two above it.
fn beside(folder: &Utf8Path, names: &[&str]) -> bool {
    above(folder).any(|dir| names.iter().any(|name| dir.join(name).exists()))
}

fn mentioned_in_cargo_toml(folder: &Utf8Path) -> bool {
    above(folder).any(|dir| fs_err::read_to_string(dir.join("Cargo.toml")).is_ok_and(|text| text.contains("refinery")))
}

fn above(folder: &Utf8Path) -> impl Iterator<Item = Utf8PathBuf> {
    let absolute = folder.canonicalize_utf8().unwrap_or_else(|_| folder.to_owned());
    let ancestors: Vec<_> = absolute.ancestors().take(3).map(Utf8Path::to_owned).collect();
    ancestors.into_iter()
}

/// Files that say themselves that they hold more than forward SQL. Whoever names the convention may pass sections of goose and dbmate, as
/// long as there is nothing in them to undo.
pub(super) fn refuse_foreign(path: &Utf8Path, text: &str, detected: bool) -> Result<(), LoadError> {
    const MARKERS: &[(&str, &str, &str)] = &[
        ("-- +goose Up", "-- +goose Down", "goose"),
        ("-- migrate:up", "-- migrate:down", "dbmate"),
        ("--liquibase formatted sql", "", "Liquibase"),
        ("-- liquibase formatted sql", "", "Liquibase"),
    ];
    let mut lines = text.lines().map(|line| line.trim_start_matches('\u{feff}').trim());
    // Only whole lines near the top: a marker in a comment elsewhere means nothing.
    let found = lines.clone().take(50).find_map(|line| MARKERS.iter().find(|(up, _, _)| line.starts_with(up)));
    let Some((_, down, tool)) = found else { return Ok(()) };
    if detected || down.is_empty() || lines.any(|line| line.starts_with(down)) {
        return Err(LoadError::Unsupported { path: path.to_owned(), tool });
    }
    Ok(())
}
