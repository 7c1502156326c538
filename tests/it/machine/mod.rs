//! The release machine: whole releases from a seed, judged by a real server. See [`judge`] for what is checked.
//!
//! `CUTOVER_MACHINE_SECONDS` is how long it runs (10 if not set), `CUTOVER_MACHINE_SEED` where it begins, `CUTOVER_MACHINE_KEEP` a
//! directory for what it finds, `CUTOVER_MACHINE_RECORD` a file for its record; with
//! `CUTOVER_MACHINE_STRICT` every kind of fault that no open case stands for fails the run. `CUTOVER_MACHINE_CASES` is a directory of releases
//! in the form of the kept ones, which `kept_cases` then judges instead, with a line on each.

mod base;
mod changes;
mod judge;
mod keep;
mod locks;
mod play;
mod queries;
mod random;
mod record;
mod release;
mod server;
mod shrink;
mod tests;
mod text;
mod world;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use judge::judge;
use random::Random;
use record::Record;
use release::Release;
use server::Server;

/// The release of a seed.
fn release(seed: u64) -> Release {
    let random = &mut Random::new(seed);
    let (mut world, base) = base::base(random);
    let blue = queries::queries(&world, random, 1000, 1);
    let files = changes::files(&mut world, random);
    let green = queries::queries(&world, random, 2000, 2);
    Release { base, files, blue, green, shown: random.chance(75) }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What fails every run. Other kinds of faults are told and shrunk, and fail only a strict run: what a new seed finds is work for whoever has
/// it open, and not the fault of the change that lands.
const ALWAYS_WRONG: [&str; 3] = ["panic", "slow", "other-text"];

#[tokio::test]
async fn fresh_seed() {
    let seconds = variable("CUTOVER_MACHINE_SECONDS").map_or(10, |s| s.parse().unwrap());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let seed: u64 =
        variable("CUTOVER_MACHINE_SEED").map_or_else(|| u64::try_from(now()).unwrap(), |s| s.parse().unwrap());
    eprintln!("CUTOVER_MACHINE_SEED={seed}");
    let (started, mut record, mut server) = (Instant::now(), Record::new(seed), Server::start().await);
    let mut seeds = Random::new(seed);
    while started.elapsed() < Duration::from_secs(seconds) {
        let seed = seeds.next();
        let judged = judge(&mut server, &release(seed), None).await;
        record.count(&judged);
        // Needless refusals are counted, and shrunk only for somebody who keeps them.
        let needless = judged.needless.filter(|_| record.keeps());
        for fault in judged.faults.into_iter().chain(needless) {
            if record.is_new(&fault) {
                let begun = Instant::now();
                let fault = shrink::shrink(&mut server, fault).await;
                record.found(seed, fault, begun.elapsed());
            }
        }
        record.write();
    }
    eprintln!("{record}");
    let strict = variable("CUTOVER_MACHINE_STRICT").is_some();
    let unknown = record.unknown(|check| strict || ALWAYS_WRONG.contains(&check));
    assert!(unknown.is_empty(), "{} faults\n{}", unknown.len(), unknown.join("\n"));
}

/// What was found before: it holds now, or is known to fail in the same way.
#[tokio::test]
async fn kept_cases() {
    let mut server = Server::start().await;
    let mut wrong = Vec::new();
    let shows = variable("CUTOVER_MACHINE_CASES").is_some();
    for case in keep::cases() {
        let judged = judge(&mut server, &case.release, None).await;
        if shows {
            eprintln!("{}: {}", case.name, judged.summary());
        }
        let needless = judged.needless.as_ref().filter(|_| case.was_needless);
        let faults: Vec<_> = judged
            .faults
            .iter()
            .chain(needless)
            .map(|f| format!("{}: {} {}: {}", case.name, f.wrong.check, f.wrong.code, f.wrong.what))
            .collect();
        match &case.open {
            None => wrong.extend(faults),
            Some(open) if judged.faults.iter().all(|f| f.wrong.check != open.check) => {
                eprintln!("{} holds now: say so in its expected.txt", case.name);
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
