//! The machine itself: that it sees what is wrong.

use cutover::plan::saved::{StepStatement, Work};

use super::judge::{self, Fault};
use super::keep;
use super::locks;
use super::play::{Step, Wrong, play, straight};
use super::release::{Query, Release};
use super::server::{Lock, Old, Server};
use super::text;

fn release(base: &[&str], file: &[&str], blue: &[(&str, &str)], green: &[(&str, &str)]) -> Release {
    let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    let queries = |of: &[(&str, &str)]| of.iter().map(|(sql, values)| Query::new(*sql, *values)).collect();
    Release { base: owned(base), files: vec![owned(file)], blue: queries(blue), green: queries(green), shown: true }
}

fn step(before: bool, sql: &str) -> Step<'_> {
    Step { before, own: true, session: Vec::new(), statements: vec![sql], hazard: None }
}

#[test]
fn a_seed_makes_the_same_release() {
    assert_eq!(super::release(7), super::release(7));
    assert_ne!(super::release(7), super::release(8));
}

#[tokio::test]
async fn wrong_orders_are_seen() {
    let t = "CREATE TABLE t (id int PRIMARY KEY, a int)";
    let drop = "ALTER TABLE t DROP COLUMN a";
    let add = "ALTER TABLE t ADD COLUMN b int";
    let mut server = Server::start().await;
    let reads = release(&[t], &[drop, add], &[("SELECT a FROM t", "")], &[("SELECT b FROM t WHERE id = $1", "1")]);
    let (straight, refused) = straight(&mut server, &reads).await;
    let straight = straight.unwrap();
    assert!(refused.is_empty());
    let mut played = async |steps: &[Step<'_>]| {
        let wrong = play(&mut server, &straight, steps).await.wrong;
        wrong.into_iter().map(|w| format!("{} {}", w.check, w.code)).collect::<Vec<_>>()
    };
    assert_eq!(played(&[step(true, add), step(false, drop)]).await, [""; 0]);
    assert_eq!(played(&[step(true, drop), step(true, add)]).await, ["blue-breaks 42703"]);
    assert_eq!(played(&[step(false, drop), step(false, add)]).await, ["green-breaks 42703"]);
    assert_eq!(played(&[step(true, add), step(true, add)]).await, ["step-fails 42701"]);
}

#[tokio::test]
async fn rows_of_the_overlap_are_missed() {
    let base = ["CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE u (id int PRIMARY KEY)"];
    let copy = "INSERT INTO u SELECT id FROM t";
    let written = release(&base, &[copy], &[("INSERT INTO t (id) VALUES ($1)", "7")], &[]);
    let mut server = Server::start().await;
    let straight = straight(&mut server, &written).await.0.unwrap();
    let mut differing = async |before| {
        let content = play(&mut server, &straight, &[step(before, copy)]).await.content.unwrap();
        judge::rows(&straight, &content).into_iter().map(|(table, (code, _))| (table, code)).collect::<Vec<_>>()
    };
    assert_eq!(differing(true).await, [("u".to_owned(), "lost")]);
    assert_eq!(differing(false).await, []);
}

#[test]
fn other_texts_are_seen() {
    let base = ["CREATE TABLE t (id int PRIMARY KEY, a int)"];
    let alter = "ALTER TABLE t ADD COLUMN b text DEFAULT 'x, (y', DROP COLUMN a";
    let split = release(&base, &[alter], &[("SELECT a FROM t", "")], &[("SELECT b FROM t", "")]);
    let mut plan = split.plan().plan;
    assert_eq!(plan.steps.len(), 2);
    assert_eq!(text::differences(&split, &plan), []);
    let codes = |plan: &cutover::plan::saved::SavedPlan| -> Vec<String> {
        text::differences(&split, plan).into_iter().map(|w| w.code).collect()
    };
    let origin = plan.steps[0].statements()[0].origin.clone();
    let sql = "ALTER TABLE t ADD COLUMN b text DEFAULT 'x, (z'".into();
    plan.steps[0].work = Work::Transaction { statements: vec![StepStatement { sql, origin }] };
    assert_eq!(codes(&plan), ["changed", "left-out"]);
    plan.steps.remove(0);
    assert_eq!(codes(&plan), ["left-out"]);
}

#[test]
fn locks_are_held_against_what_is_told() {
    let old = |name: &str, parents: &str| Old { name: name.into(), parents: parents.into() };
    let tables = [(1, old("t", "")), (2, old("app.u", "")), (3, old("part", "t"))].into();
    let code = |told, sql, locks: &[(u32, &str)]| {
        let lock = |(oid, mode): &(u32, &str)| {
            let tables: &std::collections::BTreeMap<u32, Old> = &tables;
            Lock { table: tables[oid].clone(), mode: (*mode).to_owned() }
        };
        let locks: Vec<Lock> = locks.iter().map(lock).collect();
        locks::untold(told, sql, &locks, &tables, false).map(|(code, _)| code)
    };
    let told = "SHARE ROW EXCLUSIVE (also on app.u), brief";
    assert_eq!(code(told, "ALTER TABLE t …", &[(1, "ShareRowExclusiveLock"), (2, "ShareRowExclusiveLock")]), None);
    assert_eq!(code(told, "ALTER TABLE t …", &[(1, "AccessExclusiveLock")]).as_deref(), Some("ACCESS EXCLUSIVE"));
    assert_eq!(code("ACCESS EXCLUSIVE, brief", "ALTER TABLE t …", &[(3, "AccessExclusiveLock")]), None);
    let both = [(1, "AccessExclusiveLock"), (2, "AccessExclusiveLock")];
    assert_eq!(code("ACCESS EXCLUSIVE, brief", "DROP TABLE t", &both).as_deref(), Some("elsewhere"));
    assert_eq!(code("no lock that anybody waits for", "COMMENT ON …", &[(1, "ShareUpdateExclusiveLock")]), None);
}

#[test]
fn a_case_is_read_as_it_was_written() {
    let mut kept = release(
        &["CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)"],
        &["ALTER TABLE t\n    ADD COLUMN a text", "DROP TABLE t"],
        &[("SELECT id FROM t WHERE id = $1", "1"), ("DELETE FROM t", "")],
        &[],
    );
    kept.blue.push(Query { sql: "COPY t FROM STDIN".into(), values: String::new(), rows: Some("1\tx\n".into()) });
    kept.shown = false;
    let wrong = Wrong { check: "blue-breaks", code: "42703".into(), what: "`SELECT`: no".into() };
    let directory = tempfile::tempdir().unwrap();
    keep::write(directory.path(), "one", &Fault { wrong, release: kept.clone() });
    let read = keep::read(&directory.path().join("one"));
    assert_eq!(read.release, kept);
    let open = read.open.unwrap();
    assert_eq!((open.check.as_str(), open.code.as_str()), ("blue-breaks", "42703"));
}
