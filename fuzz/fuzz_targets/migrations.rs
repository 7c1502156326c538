//! Any text as a migration of any tool: it is read and planned without a panic, and every span lies in its file, between characters.
//!
//! `cargo +nightly fuzz run migrations fuzz/corpus/migrations DIR_OF_SQL_FILES`

#![no_main]

use camino::Utf8PathBuf;
use cutover::migrations::{Convention, Folder};
use cutover::plan::{Request, plan};
use cutover::source::{Sources, Span};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut sources = Sources::new();
    let file = sources.add("m.sql", text);
    let (statements, diagnostics) = cutover::sql::read(&sources, file);
    let inside = |span: Span| assert!(text.get(span.range()).is_some(), "{span:?} of {} bytes", text.len());
    for statement in &statements {
        inside(statement.span);
        for piece in &statement.pieces {
            inside(piece.span);
            piece.prefix.into_iter().for_each(inside);
        }
    }
    diagnostics.iter().flat_map(|d| &d.labels).for_each(|label| inside(label.span));

    let convention = Convention::ALL[usize::from(*choice) % Convention::ALL.len()];
    let path = match convention {
        Convention::Refinery | Convention::Flyway => "V1__a.sql",
        Convention::Diesel => "1_a/up.sql",
        Convention::Prisma => "1_a/migration.sql",
        Convention::GolangMigrate => "1_a.up.sql",
        Convention::Sqitch => "sqitch.plan",
        Convention::Drizzle => "meta/_journal.json",
        Convention::Rails => "structure.sql",
        _ => "1_a.sql",
    };
    let Ok(folder) = Folder::from_files(convention, [(Utf8PathBuf::from(path), text.to_owned())]) else { return };
    // The first half of a long file is the base of the second.
    let Ok(pending) = folder.pending_after(None) else { return };
    let planned = plan(Request::new(&folder, &pending));
    for step in &planned.plan.steps {
        assert!(step.statements.iter().all(|s| !s.sql.is_empty()), "a step without SQL");
    }
});
