//! PostgreSQL's own regression suite, as hostile input and as a measure of what the reader knows.

use std::collections::BTreeMap;
use std::path::Path;

use cutover::source::{Sources, Span};
use cutover::sql::{self, Operation};

use crate::support;

/// What the reader made of a statement that PostgreSQL's parser accepts.
#[derive(Default)]
struct Count {
    typed: usize,
    opaque: BTreeMap<String, usize>,
    unread: BTreeMap<String, Vec<String>>,
}

const DDL: &[&str] = &[
    "CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "TRUNCATE", "REINDEX", "REFRESH", "SECURITY", "IMPORT",
    "REASSIGN", "CLUSTER",
];

#[test]
fn the_regression_suite_is_read() {
    let Some(folder) = std::env::var_os("CUTOVER_PG_REGRESS") else {
        assert!(std::env::var_os("CI").is_none(), "CUTOVER_PG_REGRESS names PostgreSQL's regression suite");
        eprintln!("not run: CUTOVER_PG_REGRESS is not set");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async { support::database().await.connect().await });
    let mut files: Vec<_> = std::fs::read_dir(Path::new(&folder)).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "sql"));
    files.sort();
    let mut count = Count::default();
    let mut all = 0;
    for path in &files {
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let mut sources = Sources::new();
        let file = sources.add(path.to_str().unwrap(), text);
        let (statements, diagnostics) = sql::read(&sources, file);
        all += statements.len();
        for statement in &statements {
            let text = sources.slice(statement.span);
            let first = text.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_ascii_uppercase();
            if !DDL.contains(&first.as_str())
                || runtime.block_on(client.prepare(text)).is_err_and(|e| e.code().is_some_and(|c| c.code() == "42601"))
            {
                continue;
            }
            let inside = |s: Span| s.start >= statement.span.start && s.end <= statement.span.end;
            let problem = diagnostics.iter().find(|d| d.span().is_some_and(inside));
            let opaque = statement.pieces.iter().find_map(|p| match &p.operation {
                Operation::Opaque { what, .. } => Some(what.clone()),
                _ => None,
            });
            match (problem, opaque) {
                (Some(problem), _) => {
                    let words: Vec<_> = text.split_whitespace().take(2).map(str::to_ascii_uppercase).collect();
                    count.unread.entry(words.join(" ")).or_default().push(format!(
                        "{} :: {}",
                        problem.message,
                        text.replace('\n', " ")
                    ));
                }
                (None, Some(what)) => *count.opaque.entry(what).or_default() += 1,
                (None, None) => count.typed += 1,
            }
        }
    }
    let opaque: usize = count.opaque.values().sum();
    let unread: usize = count.unread.values().map(Vec::len).sum();
    let valid = count.typed + opaque + unread;
    let share = |n: usize| 100.0 * n as f64 / valid as f64;
    println!("{all} statements, {valid} of them DDL that PostgreSQL's parser accepts");
    for (name, n) in [("typed", count.typed), ("recognised, opaque by nature", opaque), ("unread", unread)] {
        println!("{n:>7}  {:>5.1} %  {name}", share(n));
    }
    for (kind, n) in &count.opaque {
        println!("        recognised {n:>4}  {kind}");
    }
    for (kind, texts) in &count.unread {
        println!("        unread     {:>4}  {kind}   {}", texts.len(), texts[0].chars().take(150).collect::<String>());
    }
    assert!(valid > 10_000, "{valid}");
    assert!(share(unread) <= 3.0, "{unread} of {valid} are not read");
}
