//! What a run has found, in numbers and in cases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::judge::{Fault, Judged};
use super::keep::{self, Open};
use super::release::Release;
use super::variable;

/// How often a fault of one kind is shrunk: the first ones may be different things.
const SHRUNK: usize = 3;

/// What is counted, and no fault of its own.
const TOLD_ONLY: [&str; 2] = ["needless", "rows-by-trigger"];

pub(super) struct Record {
    seed: u64,
    started: Instant,
    written: Instant,
    shrinking: Duration,
    generated: usize,
    played: usize,
    safe: usize,
    refused: BTreeMap<String, usize>,
    needless: BTreeMap<String, usize>,
    /// By check and code.
    faults: BTreeMap<String, usize>,
    shrunk: BTreeMap<String, usize>,
    found: BTreeMap<String, Fault>,
    /// The kinds of open cases, and their checks with their codes.
    known: BTreeSet<String>,
    open: BTreeSet<(String, String)>,
    keep: Option<PathBuf>,
    file: Option<PathBuf>,
}

impl Record {
    pub(super) fn new(seed: u64) -> Self {
        let cases = keep::cases();
        let known = cases.iter().filter_map(|c| c.open.as_ref().map(|open| kind(open, &c.release)));
        Self {
            seed,
            started: Instant::now(),
            written: Instant::now(),
            shrinking: Duration::ZERO,
            generated: 0,
            played: 0,
            safe: 0,
            refused: BTreeMap::new(),
            needless: BTreeMap::new(),
            faults: BTreeMap::new(),
            shrunk: BTreeMap::new(),
            found: BTreeMap::new(),
            known: known.collect(),
            open: cases.iter().filter_map(|c| c.open.as_ref()).map(|o| (o.check.clone(), o.code.clone())).collect(),
            keep: variable("CUTOVER_MACHINE_KEEP").map(PathBuf::from),
            file: variable("CUTOVER_MACHINE_RECORD").map(PathBuf::from),
        }
    }

    pub(super) fn count(&mut self, judged: &Judged) {
        self.generated += 1;
        self.played += usize::from(judged.played);
        self.safe += usize::from(judged.safe);
        for code in &judged.refused {
            *self.refused.entry(code.clone()).or_default() += 1;
            *self.needless.entry(code.clone()).or_default() += usize::from(judged.needless.is_some());
        }
        for fault in &judged.faults {
            *self.faults.entry(format!("{} {}", fault.wrong.check, fault.wrong.code)).or_default() += 1;
        }
    }

    /// Whether somebody wants to see all that it finds.
    pub(super) fn keeps(&self) -> bool {
        self.keep.is_some()
    }

    /// Whether an open case has the same check and the same code.
    fn is_open(&self, fault: &Fault) -> bool {
        let Open { check, code, .. } = Open::of(&fault.wrong);
        self.open.contains(&(check, code)) || TOLD_ONLY.contains(&fault.wrong.check)
    }

    /// Whether a fault is worth shrinking.
    pub(super) fn is_new(&mut self, fault: &Fault) -> bool {
        let kind = kind(&Open::of(&fault.wrong), &fault.release);
        if self.known.contains(&kind) || !self.keeps() && self.is_open(fault) {
            return false;
        }
        let times = self.shrunk.entry(kind).or_default();
        *times += 1;
        *times <= if fault.wrong.check == "needless" { 1 } else { SHRUNK }
    }

    /// A fault once it is small, and how long that took.
    pub(super) fn found(&mut self, seed: u64, fault: Fault, took: Duration) {
        self.shrinking += took;
        let shape = kind(&Open::of(&fault.wrong), &fault.release);
        if self.found.contains_key(&shape) {
            return;
        }
        if !self.known.contains(&shape) {
            if let Some(directory) = &self.keep {
                keep::write(directory, &format!("{}-{seed:016x}", fault.wrong.check), &fault);
            }
            eprintln!("=== release {seed}\n{}", keep::shown(&fault));
        }
        self.found.insert(shape, fault);
    }

    /// The faults that no open case stands for.
    pub(super) fn unknown(&self, counts: impl Fn(&str) -> bool) -> Vec<String> {
        let unknown = self.found.values().filter(|fault| !self.is_open(fault) && counts(fault.wrong.check));
        unknown.map(|f| format!("{} {}: {}", f.wrong.check, f.wrong.code, f.wrong.what)).collect()
    }

    /// Writes the record now and then.
    pub(super) fn write(&mut self) {
        if let Some(file) = &self.file
            && self.written.elapsed().as_secs() >= 10
        {
            std::fs::write(file, self.to_string()).unwrap();
            self.written = Instant::now();
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.started.elapsed().as_secs_f64();
        let judging = seconds - self.shrinking.as_secs_f64();
        let rate = f64::from(u32::try_from(self.generated).unwrap_or(u32::MAX)) / judging;
        let refused = self.played - self.safe;
        writeln!(
            f,
            "seed {}: {} releases in {seconds:.0} s ({rate:.1}/s while not shrinking), {} played, {} safe, {refused} refused",
            self.seed, self.generated, self.played, self.safe
        )?;
        for (code, count) in &self.refused {
            writeln!(
                f,
                "  refused {code} {count}, needless for these queries {}",
                self.needless.get(code).unwrap_or(&0)
            )?;
        }
        for (kind, count) in &self.faults {
            writeln!(f, "  fault {kind} {count}")?;
        }
        write!(f, "  {} kinds, {} of them not known", self.found.len(), self.unknown(|_| true).len())
    }
}

/// What tells a fault from others: the check, the code, and what kind of statements it is about.
fn kind(open: &Open, release: &Release) -> String {
    let Open { check, code, what } = open;
    let mut quoted = what.split('`').skip(1).step_by(2).map(verbs);
    if let Some(first) = quoted.next() {
        // Of a step behind a query, what it begins with.
        let step = quoted.next().filter(|_| check != "other-rows").unwrap_or_default();
        let step: Vec<&str> = step.split(' ').take(3).collect();
        return format!("{check} {code} {first}; {}", step.join(" "));
    }
    let data = ["INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "CREATE TABLE", "CREATE TRIGGER"];
    let words: BTreeSet<&str> = data.into_iter().filter(|w| release.pending().any(|sql| sql.starts_with(w))).collect();
    format!("{check} {code} {}", words.into_iter().collect::<Vec<_>>().join(" "))
}

/// The words in capitals.
fn verbs(sql: &str) -> String {
    let words = sql.split(|c: char| !c.is_ascii_alphabetic() && c != '_');
    let capital = |w: &&str| w.len() > 1 && w.chars().all(|c| c.is_ascii_uppercase());
    words.filter(capital).collect::<Vec<_>>().join(" ")
}
