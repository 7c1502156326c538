//! Random small releases: the simulated schema is the real one, the plan is stable, and the plan's order runs and ends where the files'
//! own order does.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use cutover::migrations::{Convention, Folder, Pending};
use cutover::plan::saved::Verdict;
use cutover::workload::Workload;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{self, Order, Release, play};

const BASE: &str = "CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE t0 (id int PRIMARY KEY, a int, b text);
CREATE TABLE t1 (id int PRIMARY KEY, a int NOT NULL DEFAULT 0, b text UNIQUE);
CREATE TABLE t2 (id int PRIMARY KEY, a int REFERENCES t0, b text);
CREATE INDEX t1_a ON t1 (a);
CREATE VIEW seen AS SELECT id FROM t2;
";

/// One decision: which statement, on which table, on which column.
type Choice = (u8, u8, u8);

/// What the statements so far have made.
struct Writer {
    /// Columns that may go, by table.
    tables: BTreeMap<String, Vec<String>>,
    indexes: Vec<String>,
    checks: Vec<(String, String)>,
    views: Vec<(String, String)>,
    made: usize,
}

impl Writer {
    fn new() -> Self {
        let columns = || vec!["a".to_owned(), "b".to_owned()];
        let tables = ["t0", "t1", "t2"].map(|t| (t.to_owned(), columns()));
        Self {
            tables: tables.into(),
            indexes: vec!["t1_a".into()],
            checks: Vec::new(),
            views: vec![("seen".into(), "t2".into())],
            made: 0,
        }
    }

    fn name(&mut self, letter: &str) -> String {
        self.made += 1;
        format!("{letter}{}", self.made)
    }

    /// The next statement, if the choice makes sense here.
    fn write(&mut self, (what, table, column): Choice) -> Option<String> {
        let tables: Vec<String> = self.tables.keys().cloned().collect();
        let t = tables.get(usize::from(table) % tables.len().max(1))?.clone();
        let columns = self.tables[&t].clone();
        let c = columns.get(usize::from(column) % columns.len().max(1)).cloned();
        let viewed = self.views.iter().any(|(_, of)| *of == t);
        Some(match what % 26 {
            0..=2 => {
                let c = self.name("c");
                let tail = ["int", "text DEFAULT 'x'", "int NOT NULL DEFAULT 0"][usize::from(what % 26)];
                self.tables.get_mut(&t)?.push(c.clone());
                format!("ALTER TABLE {t} ADD COLUMN {c} {tail}")
            }
            3 | 4 => {
                let c = c?;
                self.tables.get_mut(&t)?.retain(|k| *k != c);
                self.indexes.retain(|i| !i.ends_with(&format!("_{c}")));
                self.checks.retain(|(of, name)| *of != t || !name.ends_with(&format!("_{c}")));
                format!("ALTER TABLE {t} DROP COLUMN {c}")
            }
            5 => {
                let (from, to) = (c?, self.name("c"));
                // What is named after the old column would be forgotten.
                let named = |name: &String| name.ends_with(&format!("_{from}"));
                if self.indexes.iter().any(named) || self.checks.iter().any(|(_, n)| named(n)) {
                    return None;
                }
                self.tables.get_mut(&t)?.iter_mut().filter(|k| **k == from).for_each(|k| k.clone_from(&to));
                format!("ALTER TABLE {t} RENAME COLUMN {from} TO {to}")
            }
            6 => format!("ALTER TABLE {t} ALTER COLUMN {} SET DEFAULT NULL", c?),
            7 => format!("ALTER TABLE {t} ALTER COLUMN {} DROP DEFAULT", c?),
            8 => format!("ALTER TABLE {t} ALTER COLUMN {} SET NOT NULL", c?),
            9 => format!("ALTER TABLE {t} ALTER COLUMN {} DROP NOT NULL", c?),
            10 => {
                let c = c.filter(|c| c.starts_with('c'))?;
                format!("ALTER TABLE {t} ALTER COLUMN {c} TYPE text USING {c}::text")
            }
            11 | 12 => {
                let (c, unique) = (c?, if what % 26 == 11 { "UNIQUE " } else { "" });
                let index = format!("{}_{c}", self.name("i"));
                self.indexes.push(index.clone());
                format!("CREATE {unique}INDEX {index} ON {t} ({c})")
            }
            13 => {
                let index = self.indexes.pop()?;
                format!("DROP INDEX {index}")
            }
            14 => {
                let c = c?;
                let check = format!("{}_{c}", self.name("k"));
                self.checks.push((t.clone(), check.clone()));
                format!("ALTER TABLE {t} ADD CONSTRAINT {check} CHECK ({c} IS NOT NULL)")
            }
            15 => {
                let (of, check) = self.checks.pop()?;
                format!("ALTER TABLE {of} DROP CONSTRAINT {check}")
            }
            16 => {
                let new = self.name("n");
                self.tables.insert(new.clone(), vec!["a".into()]);
                format!("CREATE TABLE {new} (id int PRIMARY KEY, a int REFERENCES {t})")
            }
            17 => {
                if viewed || tables.len() < 3 {
                    return None;
                }
                self.tables.remove(&t);
                self.checks.retain(|(of, _)| *of != t);
                self.indexes.clear();
                format!("DROP TABLE {t} CASCADE")
            }
            18 => {
                if viewed {
                    return None;
                }
                let (new, columns) = (self.name("r"), self.tables.remove(&t)?);
                self.tables.insert(new.clone(), columns);
                self.checks.iter_mut().filter(|(of, _)| *of == t).for_each(|(of, _)| of.clone_from(&new));
                format!("ALTER TABLE {t} RENAME TO {new}")
            }
            19 => {
                let view = self.name("v");
                self.views.push((view.clone(), t.clone()));
                format!("CREATE VIEW {view} AS SELECT id FROM {t}")
            }
            20 => {
                let (view, _) = self.views.pop()?;
                format!("DROP VIEW {view}")
            }
            21 => {
                let c = self.name("f");
                self.tables.get_mut(&t)?.push(c.clone());
                format!("ALTER TABLE {t} ADD COLUMN {c} int REFERENCES {}", tables[usize::from(column) % tables.len()])
            }
            22 => format!("UPDATE {t} SET {} = NULL", c?),
            23 => format!("DELETE FROM {t} WHERE {} IS NULL", c?),
            24 => {
                let label = self.name("l");
                format!("ALTER TYPE mood ADD VALUE '{label}'")
            }
            _ => {
                let c = self.name("c");
                self.tables.get_mut(&t)?.push(c.clone());
                format!("ALTER TABLE {t} ADD COLUMN {c} mood, ADD COLUMN {c}x int")
            }
        })
    }
}

/// A release of a file for every few statements, with a query of each version for every third column.
fn release(choices: &[Choice], per_file: usize) -> Release {
    let mut writer = Writer::new();
    let queries = |writer: &Writer, keep: u8| {
        let columns = writer.tables.iter().flat_map(|(t, columns)| columns.iter().map(move |c| (t.clone(), c.clone())));
        let chosen = columns.enumerate().filter(|(i, _)| (i + usize::from(keep)) % 3 == 0);
        let text = |(i, (t, c))| (format!("q{i}.sql"), format!("SELECT {c} FROM {t}"));
        Workload::from_texts(chosen.map(text).collect::<Vec<_>>()).0
    };
    let keep = choices.first().map_or(0, |c| c.1);
    let blue = queries(&writer, keep);
    let statements: Vec<String> = choices.iter().filter_map(|c| writer.write(*c)).collect();
    let green = queries(&writer, keep);
    let files = statements.chunks(per_file).enumerate();
    let files = files.map(|(i, s)| (Utf8PathBuf::from(format!("f{i:03}.sql")), format!("{};\n", s.join(";\n"))));
    let base = (Utf8PathBuf::from("base.sql"), BASE.to_owned());
    let folder = Folder::from_files(Convention::Plain, std::iter::once(base).chain(files)).unwrap();
    let (applied, rest) = folder.migrations.split_at(1);
    let pending = Pending { applied: applied.to_vec(), pending: rest.to_vec() };
    Release { folder, pending, blue, green, left_out: Vec::new() }
}

async fn holds(release: &Release) -> Result<(), TestCaseError> {
    let planned = release.plan();
    prop_assert_eq!(&planned.plan.digest, &release.plan().plan.digest, "the plan is not stable");
    let text = || {
        let files = release.folder.migrations[1..].iter().map(|m| release.folder.sources.file(m.file).text.to_string());
        files.collect::<Vec<_>>().join("-- next file\n")
    };
    let run = async |order: Order<'_>| {
        let session = support::database().await.connect().await;
        session.batch_execute(BASE).await.unwrap();
        play(&session, release, &order).await
    };
    let straight = run(Order::Straight).await;
    if let Some(failed) = &straight.failed {
        // A column that a key points from may come under another name, and then get another type.
        let told = planned.diagnostics.iter().any(|found| found.code.id == "CO411");
        prop_assert!(told, "the server refuses what the plan does not: {failed}\n{}", text());
        return Ok(());
    }
    let real = straight.last.unwrap();
    let differences = planned.last.differences(&real);
    prop_assert!(differences.is_empty(), "simulated (-) and real (+): {differences:#?}\n{}", text());
    if planned.plan.verdict == Verdict::Safe {
        let steps = || {
            planned.plan.steps.iter().map(|s| format!("{:?} {}\n", s.phase, s.statements()[0].sql)).collect::<String>()
        };
        let run = run(Order::Planned(&planned.plan)).await;
        prop_assert!(run.failed.is_none(), "the plan does not run: {:?}\n{}\n{}", run.failed, text(), steps());
        prop_assert!(run.breaks.is_empty(), "called safe: {:#?}\n{}\n{}", run.breaks, text(), steps());
        let differences = real.differences(&run.last.unwrap());
        prop_assert!(differences.is_empty(), "the end differs: {differences:#?}\n{}\n{}", text(), steps());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn random_releases_hold_on_a_real_server() {
    let cases = std::env::var("CUTOVER_PROPERTY_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(48);
    let handle = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        let mut runner =
            TestRunner::new(Config { cases, max_shrink_iters: 60, failure_persistence: None, ..Config::default() });
        let choices = proptest::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 1..14);
        let found = runner
            .run(&(choices, 1_usize..6), |(choices, per_file)| handle.block_on(holds(&release(&choices, per_file))));
        found.unwrap_or_else(|failure| panic!("{failure}"));
    });
}
