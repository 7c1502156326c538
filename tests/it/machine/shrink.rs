//! A smaller release with the same fault.

use super::judge::{Fault, judge};
use super::release::Release;
use super::server::Server;

/// How often a smaller release may be tried.
const TRIES: usize = 250;

/// Takes away what the fault does not need, until nothing more can go.
pub(super) async fn shrink(server: &mut Server, fault: Fault) -> Fault {
    let (mut best, mut at, mut in_vain) = (fault, 0, 0);
    for _ in 0..TRIES {
        let smaller = smaller(&best.release);
        if in_vain >= smaller.len() {
            break;
        }
        at %= smaller.len();
        match again(server, &smaller[at], &best).await {
            Some(same) => (best, in_vain) = (same, 0),
            None => (at, in_vain) = (at + 1, in_vain + 1),
        }
    }
    best
}

async fn again(server: &mut Server, release: &Release, fault: &Fault) -> Option<Fault> {
    let judged = judge(server, release, Some(fault.wrong.check)).await;
    let same = |f: &Fault| f.wrong.check == fault.wrong.check && f.wrong.code == fault.wrong.code;
    judged.faults.into_iter().chain(judged.needless).find(|f| same(f) && size(&f.release) < size(&fault.release))
}

fn size(release: &Release) -> usize {
    let texts = release.base.iter().chain(release.files.iter().flatten()).map(|s| s.len() + 20).sum::<usize>();
    let queries = release.blue.iter().chain(&release.green).map(|q| q.sql.len() + 20).sum::<usize>();
    texts + queries + 30 * release.files.len()
}

/// Releases with one thing less.
fn smaller(release: &Release) -> Vec<Release> {
    let mut found = Vec::new();
    let with = |change: &dyn Fn(&mut Release)| {
        let mut copy = release.clone();
        change(&mut copy);
        copy.files.retain(|f| !f.is_empty());
        copy
    };
    for (i, file) in release.files.iter().enumerate() {
        found.push(with(&|r| drop(r.files.remove(i))));
        if file.first().is_some_and(|s| s == "BEGIN") {
            found.push(with(&|r| r.files[i].retain(|s| s != "BEGIN" && s != "COMMIT")));
        }
    }
    if release.files.len() > 1 {
        found.push(with(&|r| r.files = vec![r.files.concat()]));
    }
    for (i, file) in release.files.iter().enumerate() {
        for j in 0..file.len() {
            found.push(with(&|r| drop(r.files[i].remove(j))));
        }
    }
    found.push(with(&|r| (r.green, r.blue) = Default::default()));
    let base = release.base.len();
    if base > 3 {
        for (from, to) in [(base / 2, base), (0, base / 2), (base / 4, base / 2), (base / 2, base / 4 * 3)] {
            found.push(with(&|r| drop(r.base.drain(from..to))));
        }
    }
    found.push(with(&|r| r.green.clear()));
    found.push(with(&|r| r.blue.clear()));
    for verbs in ["INSERT ", "CREATE VIEW ", "CREATE FUNCTION ", "CREATE TRIGGER ", "CREATE INDEX "] {
        if release.base.iter().filter(|s| s.starts_with(verbs)).count() > 1 {
            found.push(with(&|r| r.base.retain(|s| !s.starts_with(verbs))));
        }
    }
    for i in 0..release.blue.len() {
        found.push(with(&|r| drop(r.blue.remove(i))));
    }
    for i in 0..release.green.len() {
        found.push(with(&|r| drop(r.green.remove(i))));
    }
    for i in (0..release.base.len()).rev() {
        found.push(with(&|r| drop(r.base.remove(i))));
    }
    for (i, file) in release.files.iter().enumerate() {
        for (j, sql) in file.iter().enumerate() {
            for shorter in shorter(sql) {
                found.push(with(&|r| r.files[i][j].clone_from(&shorter)));
            }
        }
    }
    for (i, sql) in release.base.iter().enumerate() {
        for shorter in shorter(sql) {
            found.push(with(&|r| r.base[i].clone_from(&shorter)));
        }
    }
    found
}

/// A list in a statement with one thing less: columns of a table, sub-commands, rows.
fn shorter(sql: &str) -> Vec<String> {
    let lists = ["CREATE TABLE ", "ALTER TABLE ", "INSERT INTO "];
    if !lists.iter().any(|l| sql.starts_with(l)) {
        return Vec::new();
    }
    let level = i32::from(sql.starts_with("CREATE TABLE "));
    let (mut depth, mut quoted, mut commas) = (0, false, Vec::new());
    for (i, c) in sql.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => {
                depth += 1;
                if depth == level {
                    commas.push(i);
                }
            }
            ')' if !quoted => {
                if depth == level {
                    commas.push(i);
                }
                depth -= 1;
            }
            ',' if !quoted && depth == level => commas.push(i),
            _ => {}
        }
    }
    if level == 0 {
        commas.push(sql.len());
        let verbs = [" ADD ", " DROP ", " ALTER COLUMN ", " VALIDATE "];
        let first = verbs.iter().filter_map(|v| sql.find(v)).min().filter(|_| sql.starts_with("ALTER TABLE "));
        commas.splice(0..0, first);
    }
    let pairs = commas
        .windows(2)
        .filter(|w| sql[w[0]..].starts_with([',', '(', ' ']) && (w[1] < sql.len() || w[0] > commas[0]));
    let without = |w: &[usize]| {
        let (from, to) = (w[0], w[1]);
        if sql[from..].starts_with(['(', ' ']) {
            let next = if sql[to..].starts_with(',') { to + 1 } else { to };
            format!("{}{}", &sql[..=from], sql[next..].trim_start())
        } else {
            format!("{}{}", &sql[..from], &sql[to..])
        }
    };
    pairs.map(without).collect()
}
