//! Which convention a folder follows, from its names, what stands beside it, and its first file's marks. What two tools would read
//! differently is refused.

use camino::{Utf8Path, Utf8PathBuf};

use super::load::LoadError;
use super::tree::Tree;
use super::{
    Convention, alembic, atlas, dbmate, diesel, drizzle, flyway, golang_migrate, goose, liquibase, prisma, rails,
    refinery, sqitch, sqlx,
};

pub(super) fn detect(tree: &Tree<'_>) -> Result<Convention, LoadError> {
    if tree.has(sqitch::PLAN) {
        return Ok(Convention::Sqitch);
    }
    if tree.has(atlas::SUMS) {
        return Ok(Convention::Atlas);
    }
    if drizzle::owns(tree) {
        return Ok(Convention::Drizzle);
    }
    if tree.has(rails::STRUCTURE) || tree.paths.iter().any(|p| is_numbered(p, "rb")) {
        return Ok(Convention::Rails);
    }
    if tree.sql().any(|p| prisma::owns(p)) {
        return unmixed(tree, tree.sql(), Convention::Prisma, |p| prisma::owns(p));
    }
    if tree.sql().any(|p| diesel::owns(p)) {
        return unmixed(tree, tree.sql(), Convention::Diesel, |p| diesel::owns(p));
    }
    if let Some(path) = tree.sql().next()
        && let Some(tool) = marked(&tree.text(path)?)
    {
        return Ok(tool);
    }
    if tree.sql().any(|p| flyway::owns(p)) {
        return refinery_or_flyway(tree);
    }
    let numbered = |path: &&Utf8PathBuf| sqlx::parse(path).is_some();
    if tree.top_sql().any(|p| sqlx::parse(p).is_some()) {
        let convention = unmixed(tree, tree.top_sql(), Convention::Sqlx, |p| numbered(&p))?;
        let sqlx_is_here = beside(tree, &["sqlx.toml", ".sqlx", "sqlx-data.json"]) || in_cargo_toml(tree, "sqlx");
        if tree.top_sql().any(|p| golang_migrate::owns(p)) && !sqlx_is_here {
            return match (beside(tree, &["go.mod"]), in_cargo_toml(tree, "")) {
                (true, false) => Ok(Convention::GolangMigrate),
                _ => Err(ambiguous(tree, "`.up.sql` and `.down.sql` are names of sqlx and of golang-migrate")),
            };
        }
        let numbers: Vec<_> = tree.top_sql().filter_map(sqlx::parse).map(|found| found.version).collect();
        if !numbers.is_sorted() && !sqlx_is_here {
            return Err(ambiguous(tree, "its files stand in another order by number (sqlx) than by name (plain)"));
        }
        return Ok(convention);
    }
    Ok(Convention::Plain)
}

/// `V1__x.sql` is a name of both; so is `U1__x.sql`, with opposite meanings.
fn refinery_or_flyway(tree: &Tree<'_>) -> Result<Convention, LoadError> {
    let is_flyway = beside(tree, &["flyway.conf", "flyway.toml", "conf/flyway.conf"]);
    let is_refinery = beside(tree, &["refinery.toml"]) || in_cargo_toml(tree, "refinery");
    // Only Flyway has these.
    let only_flyway = tree.sql().any(|p| flyway::owns(p) && refinery::parse(p).is_none());
    match (is_flyway || only_flyway, is_refinery) {
        (true, false) => return Ok(Convention::Flyway),
        (true, true) => return Err(ambiguous(tree, "both Flyway's and refinery's files or settings are here")),
        (false, _) => {}
    }
    if let Some(path) = tree.sql().find(|p| p.file_name().is_some_and(|n| n.starts_with('U')))
        && !is_refinery
    {
        let reason = format!("{path} is a forward migration to refinery and an undo script to Flyway");
        return Err(ambiguous(tree, &reason));
    }
    unmixed(tree, tree.sql(), Convention::Refinery, |p| refinery::parse(p).is_some())
}

fn ambiguous(tree: &Tree<'_>, reason: &str) -> LoadError {
    LoadError::Ambiguous { folder: tree.root.to_owned(), reason: reason.to_owned() }
}

fn is_numbered(path: &Utf8Path, extension: &str) -> bool {
    path.extension() == Some(extension)
        && path.file_stem().and_then(|stem| stem.split_once('_')).is_some_and(|(n, _)| n.parse::<u64>().is_ok())
}

/// The convention, unless some files do not belong to it: its tool would silently pass over them.
fn unmixed<'t>(
    tree: &Tree<'_>,
    sql: impl Iterator<Item = &'t Utf8PathBuf>,
    convention: Convention,
    owns: impl Fn(&Utf8PathBuf) -> bool,
) -> Result<Convention, LoadError> {
    let (fits, others): (Vec<_>, Vec<_>) = sql.partition(|p| owns(p));
    match (fits.first(), others.first()) {
        (Some(example), Some(other)) => Err(LoadError::Mixed {
            folder: tree.root.to_owned(),
            convention,
            fits: format!("{} {} named as", fits.len(), if fits.len() == 1 { "is" } else { "are" }),
            example: (*example).clone(),
            rest: others.len(),
            other: (*other).clone(),
        }),
        _ => Ok(convention),
    }
}

/// Whether one of the files stands in the folder or one of the two above it.
fn beside(tree: &Tree<'_>, names: &[&str]) -> bool {
    above(tree.root).any(|dir| names.iter().any(|name| dir.join(name).exists()))
}

fn in_cargo_toml(tree: &Tree<'_>, word: &str) -> bool {
    let manifests = above(tree.root).map(|dir| dir.join("Cargo.toml"));
    let mut texts = manifests.filter_map(|path| std::fs::read_to_string(path).ok());
    texts.any(|text| text.contains(word))
}

/// The folder and the two above it.
pub(super) fn above(folder: &Utf8Path) -> impl Iterator<Item = Utf8PathBuf> {
    let absolute = folder.canonicalize_utf8().unwrap_or_else(|_| folder.to_owned());
    let ancestors: Vec<_> = absolute.ancestors().take(3).map(Utf8Path::to_owned).collect();
    ancestors.into_iter()
}

/// The tool whose marks stand in a file, in whole lines near its top.
fn marked(text: &str) -> Option<Convention> {
    if liquibase::is_changelog(text) {
        return Some(Convention::Liquibase);
    }
    let comments = text.lines().take(50).filter_map(super::script::comment);
    let mut tools = comments.filter_map(|words| match words {
        words if words.starts_with(goose::MARK) => Some(Convention::Goose),
        words if words.starts_with(dbmate::UP) => Some(Convention::Dbmate),
        words if words.starts_with(alembic::MARK) => Some(Convention::Alembic),
        _ => None,
    });
    tools.next()
}

/// Files that say themselves that they are another tool's. Whoever names the convention may pass sections of goose and dbmate, as long as
/// there is nothing in them to undo.
pub(super) fn refuse_foreign(
    path: &Utf8Path,
    text: &str,
    convention: Convention,
    detected: bool,
) -> Result<(), LoadError> {
    let Some(tool) = marked(text).filter(|tool| *tool != convention) else { return Ok(()) };
    let down = |line: &str| match tool {
        Convention::Goose => goose::annotation(line).as_deref() == Some("down"),
        Convention::Dbmate => super::script::comment(line).is_some_and(|words| words.starts_with(dbmate::DOWN)),
        _ => true,
    };
    if detected || text.lines().any(down) {
        return Err(LoadError::Foreign { path: path.to_owned(), tool });
    }
    Ok(())
}
