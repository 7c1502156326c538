//! A release of 32 steps of every kind, disturbed at every boundary and at random instants in each of four ways, and carried on: it ends as if
//! nobody had disturbed it, and nothing runs twice.
//!
//! Every so many boundaries and some random instants by default. `CUTOVER_EXHAUSTION=200`: every boundary, and so many random instants in each way,
//! which takes about half an hour. `CUTOVER_EXHAUSTION_SEED` repeats the instants of a run.

use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cutover::plan::saved::{Backfill, Direction, Phase, SavedPlan, Step, StepStatement, Work};
use nix::sys::signal::Signal;

use super::network::Network;
use super::support::{OwnServer, Ran, Runs, Shop, signal, step};

/// What happens to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    /// The executor is killed.
    Killed,
    /// The server is stopped at once, and started again.
    ServerStopped,
    /// The executor is stopped, somebody else takes over, and it goes on.
    TakenOver,
    /// The network takes everything and delivers nothing any more.
    Cut,
}

const DISTURBANCES: [Disturbance; 4] =
    [Disturbance::Killed, Disturbance::ServerStopped, Disturbance::TakenOver, Disturbance::Cut];

/// When it happens.
#[derive(Debug, Clone, Copy)]
enum When {
    /// At a boundary of the executor's, from 1.
    Boundary(u32),
    /// So long after it was started.
    After(Duration),
}

fn plan(shop: &Shop) -> SavedPlan {
    let statement = |sql: &str| StepStatement { sql: sql.into(), origin: None };
    let mut steps: Vec<Step> = Vec::new();
    let mut add = |phase: Phase, runs: Runs, sql: &str, more: &[&str]| {
        let id = u32::try_from(steps.len()).unwrap() + 1;
        let mut next = step(id, phase, runs, sql, &[], 3, id);
        if let Work::Transaction { statements } = &mut next.work {
            statements.extend(more.iter().map(|sql| statement(sql)));
        }
        steps.push(next);
    };
    for n in 1..=6 {
        add(Phase::Before, Runs::Own, &format!("ALTER TABLE users ADD COLUMN c{n} int DEFAULT 0 NOT NULL"), &[]);
    }
    for n in 1..=2 {
        let table = format!("CREATE TABLE log{n} (id int GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT now())");
        add(
            Phase::Before,
            Runs::Own,
            &table,
            &[&format!("INSERT INTO log{n} DEFAULT VALUES"), &format!("ANALYZE log{n}")],
        );
    }
    for n in 1..=4 {
        add(Phase::Before, Runs::Alone, &format!("CREATE INDEX CONCURRENTLY users_c{n} ON users (c{n})"), &[]);
    }
    for n in 1..=2 {
        add(Phase::Before, Runs::Own, &format!("UPDATE users SET c{n} = c{n} + 1"), &[]);
    }
    add(Phase::Before, Runs::Own, "CREATE TYPE mood AS ENUM ('sad')", &[]);
    add(Phase::Before, Runs::Alone, "ALTER TYPE mood ADD VALUE 'glad'", &[]);
    add(Phase::Before, Runs::Own, "ALTER TABLE users ADD CONSTRAINT c1_is_small CHECK (c1 < 100) NOT VALID", &[]);
    add(Phase::Before, Runs::Own, "ALTER TABLE users VALIDATE CONSTRAINT c1_is_small", &[]);
    for n in 1..=2 {
        add(Phase::Before, Runs::Own, &format!("SELECT count(*) = 50 FROM users WHERE c{n} = 1"), &[]);
    }
    add(
        Phase::Before,
        Runs::Own,
        "CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        &[],
    );
    add(
        Phase::Before,
        Runs::Own,
        "CREATE TRIGGER same BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION same()",
        &[],
    );
    // This word is waited for.
    add(Phase::Before, Runs::Own, "COMMENT ON TABLE users IS 'no rollback'", &["ALTER TABLE users ADD COLUMN c7 int"]);
    add(Phase::Before, Runs::Own, "GRANT SELECT ON users TO PUBLIC", &[]);
    add(Phase::After, Runs::Own, "ALTER TABLE users DROP COLUMN name", &[]);
    add(Phase::After, Runs::Alone, "DROP INDEX CONCURRENTLY users_old", &[]);
    add(Phase::After, Runs::Own, "DROP TRIGGER same ON users", &["DROP FUNCTION same()"]);
    add(Phase::After, Runs::Alone, "DROP INDEX CONCURRENTLY users_c4", &[]);
    for n in 5..=6 {
        add(Phase::After, Runs::Own, &format!("ALTER TABLE users DROP COLUMN c{n}"), &[]);
    }
    add(Phase::After, Runs::Own, "INSERT INTO log2 DEFAULT VALUES", &[]);
    add(Phase::After, Runs::Own, "DROP TABLE log1", &[]);
    assert_eq!(steps.len(), 32);
    for step in &mut steps {
        let Work::Transaction { statements } = &step.work else { continue };
        let sql = statements[0].clone();
        if let Some(batch) = sql.sql.strip_prefix("UPDATE ") {
            let batch = format!("UPDATE {batch} WHERE true");
            step.work = Work::Backfill(Backfill {
                statement: sql,
                table: "users".into(),
                key: "users.id".into(),
                batch,
                rows: 12,
            });
            step.direction = Direction::Data;
        } else if sql.sql.starts_with("SELECT ") {
            step.work = Work::Check { query: sql, within: Duration::ZERO };
            step.direction = Direction::Neutral;
        }
    }
    let first_after = steps.iter_mut().find(|step| step.phase == Phase::After).unwrap();
    (first_after.direction, first_after.point_of_no_return) = (Direction::Deletive, true);
    steps[12].completes = vec!["2".into()];
    steps[31].completes = vec!["3".into(), "4".into()];
    shop.plan_of(steps)
}

/// What clients could notice, how often each row was done, the history, and each step's end.
fn picture(shop: &Shop) -> Vec<String> {
    let rows = |sql: &str| shop.rows(sql);
    let more = "SELECT format('users %s %s %s', sum(c1), sum(c2), count(*)) FROM users
         UNION ALL SELECT format('log2 %s', count(*)) FROM log2
         UNION ALL SELECT format('%s %s %s', conname, convalidated, pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid = 'users'::regclass
         UNION ALL SELECT enumlabel FROM pg_enum
         UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
         UNION ALL SELECT format('%s %s', relname, relacl) FROM pg_class WHERE relnamespace = 'public'::regnamespace
         UNION ALL SELECT format('step %s done %s times', step, count(*)) FROM cutover.journal WHERE event = 'step_succeeded' GROUP BY step
         UNION ALL SELECT format('%s %s %s', event, step, count(*)) FROM cutover.journal
             WHERE event IN ('phase_finished', 'point_of_no_return', 'finished') GROUP BY event, step
         ORDER BY 1";
    [shop.schema(), rows(more)].concat()
}

/// Waits until a child is stopped, or has ended.
pub(super) fn has_stopped(child: &mut Child) -> bool {
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        if stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Disturbs a release, carries it on, and says how it ended; `None`: it was over before.
fn disturbed(server: &OwnServer, how: Disturbance, when: When) -> Option<Vec<String>> {
    let shop = Shop::new_on(&server.0);
    let path = shop.save(&plan(&shop));
    let mut args = vec!["execute", &path, "--yes", "--traffic", "simulated", "--shift", "50,100"];
    let fault = match when {
        When::Boundary(at) => format!("stop-at={at}"),
        When::After(_) => String::new(),
    };
    if !fault.is_empty() {
        args.extend(["--fault", &fault]);
    }
    let mut command = shop.cutover(&args);
    let network = (how == Disturbance::Cut).then(|| Network::start(server.0.port));
    if let Some(network) = &network {
        command.env("PGHOST", "127.0.0.1").env("PGPORT", network.port.to_string());
        command.env("PGUSER", "remote").env("PGPASSWORD", "right");
    }
    let mut executor = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let stopped = match when {
        When::Boundary(_) => has_stopped(&mut executor),
        When::After(time) => {
            std::thread::sleep(time);
            executor.try_wait().unwrap().is_none()
        }
    };
    if !stopped {
        return None;
    }
    match how {
        Disturbance::Killed => {
            signal(&executor, Signal::SIGKILL);
            executor.wait().unwrap();
        }
        Disturbance::ServerStopped => {
            server.restart("immediate");
            signal(&executor, Signal::SIGCONT);
            executor.wait().unwrap();
        }
        Disturbance::Cut => {
            let network = network.as_ref().unwrap();
            network.cut();
            signal(&executor, Signal::SIGCONT);
            std::thread::sleep(Duration::from_millis(20));
            network.gone();
            signal(&executor, Signal::SIGKILL);
            executor.wait().unwrap();
        }
        Disturbance::TakenOver => {
            signal(&executor, Signal::SIGSTOP);
            // Whoever idles outside a transaction holds nothing but the lease, and keeps it.
            let taken = shop.resume(&["--takeover-timeout", "12s"]);
            if taken.code == Some(7) {
                let end = taken.err.split("pg_terminate_backend(").nth(1).and_then(|rest| rest.split(')').next());
                let pid = end.unwrap_or_else(|| panic!("it does not say how to end that session: {taken:?}"));
                shop.sql(&format!("SELECT pg_terminate_backend({pid})"));
            }
            carry_on(&shop, &path);
            signal(&executor, Signal::SIGCONT);
            executor.wait().unwrap();
        }
    }
    carry_on(&shop, &path);
    Some(picture(&shop))
}

/// Carries on as the tool says, until it says that it is over.
fn carry_on(shop: &Shop, path: &str) {
    let mut last: Option<Ran> = None;
    for _ in 0..4 {
        let ran = shop.resume(&["--takeover-timeout", "30s"]);
        let ran = match ran.err.contains("start one with `cutover execute PLAN`") {
            true => shop.run(&["execute", path, "--yes", "--traffic", "simulated", "--shift", "50,100"]),
            false => ran,
        };
        if ran.code == Some(0) {
            return;
        }
        last = Some(ran);
    }
    panic!("it does not end: {last:?}");
}

/// Numbers from a seed.
struct Instants(u64);

impl Instants {
    fn next(&mut self, below: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        below.mul_f64((self.0 >> 33) as f64 / f64::from(1u32 << 31))
    }
}

#[test]
fn disturbed_anywhere_it_ends_as_if_nobody_had() {
    let all = std::env::var("CUTOVER_EXHAUSTION").ok().map(|count| count.parse::<usize>().unwrap());
    let seed = std::env::var("CUTOVER_EXHAUSTION_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
    let seed = seed.unwrap_or_else(|| u64::try_from(now).unwrap());
    eprintln!("CUTOVER_EXHAUSTION_SEED={seed}");

    let servers: Vec<OwnServer> = std::iter::repeat_with(|| OwnServer::start_with(&[("synchronous_commit", "on")]))
        .take(if all.is_some() { 6 } else { 3 })
        .collect();
    for server in &servers {
        server.0.connect("postgres").batch_execute("CREATE ROLE remote LOGIN SUPERUSER PASSWORD 'right'").unwrap();
    }
    let shop = Shop::new_on(&servers[0].0);
    let began = Instant::now();
    shop.execute(&plan(&shop), &["--shift", "50,100"]).ends(0);
    let (whole, expected) = (began.elapsed(), picture(&shop));

    // So many boundaries that the last of them are behind its end.
    let boundaries =
        (1..=u32::MAX).step_by(if all.is_some() { 1 } else { 17 }).take(if all.is_some() { 170 } else { 9 });
    let mut cases: Vec<(Disturbance, When)> = Vec::new();
    for (at, boundary) in boundaries.enumerate() {
        match all {
            Some(_) => cases.extend(DISTURBANCES.map(|how| (how, When::Boundary(boundary)))),
            None => cases.push((DISTURBANCES[at % 4], When::Boundary(boundary))),
        }
    }
    let mut instants = Instants(seed);
    for how in DISTURBANCES {
        cases.extend((0..all.unwrap_or(3)).map(|_| (how, When::After(instants.next(whole)))));
    }
    let (next, counts) = (AtomicUsize::new(0), Mutex::new([[0; 3]; 4]));
    std::thread::scope(|scope| {
        for server in &servers {
            let (cases, next, counts, expected) = (&cases, &next, &counts, &expected);
            scope.spawn(move || {
                while let Some((how, when)) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let mut when = *when;
                    let over = loop {
                        match (disturbed(server, *how, when), when) {
                            (Some(ended), _) => {
                                assert_eq!(&ended, expected, "{how:?} {when:?}");
                                break false;
                            }
                            // It was faster than the one that was measured: sooner, then.
                            (None, When::After(instant)) if !instant.is_zero() => when = When::After(instant / 2),
                            (None, _) => break true,
                        }
                    };
                    let mut counts = counts.lock().unwrap();
                    match when {
                        _ if over => counts[*how as usize][2] += 1,
                        When::Boundary(_) => counts[*how as usize][0] += 1,
                        When::After(_) => counts[*how as usize][1] += 1,
                    }
                }
            });
        }
    });
    for (how, [boundaries, instants, over]) in DISTURBANCES.iter().zip(*counts.lock().unwrap()) {
        eprintln!("{how:?}: at {boundaries} boundaries, at {instants} random instants; {over} were over before");
        assert!(boundaries > 0 && instants > 0, "{how:?} never happened");
    }
}
