//! Which convention a folder follows, from its names, what stands beside it, and its first file's marks. What two tools would read
//! differently is refused.

use camino::{Utf8Path, Utf8PathBuf};

use super::load::LoadError;
use super::tree::Tree;
use super::{
    Convention, alembic, atlas, dbmate, diesel, drizzle, flyway, golang_migrate, goose, hasura, liquibase, prisma,
    rails, refinery, sqitch, sqlx, supabase,
};

/// The convention, and others that the names fit as well where no sign says which tool it is.
type Detected = (Convention, Vec<Convention>);

pub(super) fn detect(tree: &Tree<'_>) -> Result<Detected, LoadError> {
    let sure = |convention| (convention, Vec::new());
    if tree.has(sqitch::PLAN) {
        return Ok(sure(Convention::Sqitch));
    }
    if tree.has(atlas::SUMS) {
        return Ok(sure(Convention::Atlas));
    }
    if drizzle::owns(tree) {
        return Ok(sure(Convention::Drizzle));
    }
    if tree.has(rails::STRUCTURE) || tree.paths.iter().any(|p| is_numbered(p, "rb")) {
        return Ok(sure(Convention::Rails));
    }
    if tree.sql().any(|p| prisma::owns(p)) || tree.has(prisma::LOCK) {
        return unmixed(tree, tree.sql(), Convention::Prisma, |p| prisma::owns(p)).map(sure);
    }
    if tree.sql().any(|p| diesel::owns(p)) {
        return diesel_or_hasura(tree);
    }
    if let Some(path) = tree.sql().next()
        && let Some(tool) = marked(&tree.text(path)?)
    {
        return Ok(sure(tool));
    }
    if tree.sql().any(|p| flyway::owns(p)) {
        return refinery_or_flyway(tree);
    }
    if tree.top_sql().any(|p| sqlx::parse(p).is_some()) {
        return numbered(tree);
    }
    Ok(sure(Convention::Plain))
}

/// `1_name.sql` is a name of sqlx, of Supabase, and of many a plain folder.
fn numbered(tree: &Tree<'_>) -> Result<Detected, LoadError> {
    let is_numbered = |path: &Utf8PathBuf| sqlx::parse(path).is_some();
    let convention = unmixed(tree, tree.top_sql(), Convention::Sqlx, is_numbered)?;
    let marks_itself = tree.top_sql().any(|p| tree.text(p).is_ok_and(|text| text.starts_with("-- no-transaction")));
    let sqlx_is_here = beside(tree, &["sqlx.toml", ".sqlx", "sqlx-data.json"]) || in_cargo_toml(tree, "sqlx");
    let supabase_is_here = supabase::is_here(tree);
    if sqlx_is_here && supabase_is_here {
        return Err(ambiguous(tree, "both Supabase's folders and sqlx's settings are here"));
    }
    if supabase_is_here {
        return Ok((Convention::Supabase, Vec::new()));
    }
    let in_pairs = tree.top_sql().any(|p| golang_migrate::owns(p));
    if in_pairs && !sqlx_is_here {
        return match (beside(tree, &["go.mod"]), in_cargo_toml(tree, "")) {
            (true, false) => Ok((Convention::GolangMigrate, Vec::new())),
            _ => Err(ambiguous(tree, "`.up.sql` and `.down.sql` are names of sqlx and of golang-migrate")),
        };
    }
    let numbers: Vec<_> = tree.top_sql().filter_map(sqlx::parse).map(|found| found.version).collect();
    if !numbers.is_sorted() && !sqlx_is_here {
        return Err(ambiguous(tree, "its files stand in another order by number (sqlx) than by name (plain)"));
    }
    let sure = sqlx_is_here || marks_itself || in_pairs;
    let alike = if sure { Vec::new() } else { vec![Convention::Supabase, Convention::Plain] };
    Ok((convention, alike))
}

/// `1_name/up.sql` is a name of both. Only diesel has dashes in its numbers, and makes functions of its own at first.
fn diesel_or_hasura(tree: &Tree<'_>) -> Result<Detected, LoadError> {
    let convention = unmixed(tree, tree.sql(), Convention::Diesel, |p| diesel::owns(p))?;
    let folders = || tree.sql().filter(|p| diesel::owns(p)).filter_map(|p| p.parent());
    let only_diesel = folders()
        .any(|folder| hasura::version(folder.as_str()).is_none() || folder.as_str().contains("diesel"))
        || tree.paths.iter().any(|p| p.file_name() == Some("metadata.toml"));
    let is_diesel = only_diesel || beside(tree, &["diesel.toml"]) || in_cargo_toml(tree, "diesel");
    let is_hasura = beside(tree, &[hasura::CONFIG]);
    match (is_diesel, is_hasura) {
        (true, true) => Err(ambiguous(tree, "both diesel's and Hasura's files or settings are here")),
        (false, true) => Ok((Convention::Hasura, Vec::new())),
        (true, false) => Ok((convention, Vec::new())),
        (false, false) => Ok((convention, vec![Convention::Hasura])),
    }
}

/// `V1__x.sql` is a name of both; so is `U1__x.sql`, with opposite meanings.
fn refinery_or_flyway(tree: &Tree<'_>) -> Result<Detected, LoadError> {
    let is_flyway = beside(tree, &["flyway.conf", "flyway.toml", "conf/flyway.conf"]);
    let is_refinery = beside(tree, &["refinery.toml"]) || in_cargo_toml(tree, "refinery");
    // Only Flyway has these.
    let only_flyway = tree.sql().any(|p| flyway::owns(p) && refinery::parse(p).is_none());
    match (is_flyway || only_flyway, is_refinery) {
        (true, false) => {
            let files = tree.sql().filter(|p| !flyway::is_callback(p));
            return Ok((unmixed(tree, files, Convention::Flyway, |p| flyway::owns(p))?, Vec::new()));
        }
        (true, true) => return Err(ambiguous(tree, "both Flyway's and refinery's files or settings are here")),
        (false, _) => {}
    }
    if let Some(path) = tree.sql().find(|p| p.file_name().is_some_and(|n| n.starts_with('U')))
        && !is_refinery
    {
        let reason = format!("{path} is a forward migration to refinery and an undo script to Flyway");
        return Err(ambiguous(tree, &reason));
    }
    let convention = unmixed(tree, tree.sql(), Convention::Refinery, |p| refinery::parse(p).is_some())?;
    // Flyway replaces `${name}`, and refinery does not.
    if !is_refinery && tree.sql().any(|p| tree.text(p).is_ok_and(|text| text.contains("${"))) {
        return Err(ambiguous(tree, "`${…}` is a placeholder to Flyway and plain text to refinery"));
    }
    let alike = if is_refinery { Vec::new() } else { vec![Convention::Flyway] };
    Ok((convention, alike))
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
