//! What holds a backfill back: others who need the server more. Between two times, what is limited is measured, and while one measure is
//! above its limit the backfill waits, holding nothing.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::checks::CheckVerdict;
use crate::execute::engine::Engine;
use crate::execute::error::ExecuteError;
use crate::execute::event::Event;
use crate::plan::saved::Step;
use crate::release::{Purpose, Throttle, size, time};

/// How long what was measured is good for.
const EVERY: Duration = Duration::from_secs(1);
/// How often it is said again that a backfill is held back.
const AGAIN: Duration = Duration::from_secs(60);
/// What a measure says that the role may not take.
const UNSEEN: i64 = -1;

/// Something of the server that is limited.
struct Measure {
    /// Its setting, below `[release.backfill]`.
    setting: &'static str,
    /// What it is, for people.
    what: &'static str,
    /// An expression of a bigint: NULL if there is none, [`UNSEEN`] if the role does not see it.
    sql: &'static str,
    limit: fn(&Throttle) -> Option<u64>,
    show: fn(u64) -> String,
    /// Whether what counts is by how much it grows in a second.
    grows: bool,
}

const MEASURES: [Measure; 5] = [
    Measure {
        setting: "replica-lag",
        what: "a standby or subscriber is behind by",
        // Who only receives the log never says that it is replayed.
        sql: "(SELECT CASE WHEN pg_catalog.count(*) > 0 AND NOT pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') THEN -1
                     ELSE (extract(epoch FROM pg_catalog.max(replay_lag) FILTER (WHERE replay_lsn IS NOT NULL)) * 1000)::bigint END
               FROM pg_catalog.pg_stat_replication)",
        limit: |throttle| throttle.replica_lag_ms.filter(|ms| *ms > 0),
        show: time::in_words,
        grows: false,
    },
    Measure {
        setting: "slot-lag",
        what: "a replication slot holds back",
        sql: "(SELECT pg_catalog.max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn))::bigint
               FROM pg_catalog.pg_replication_slots WHERE wal_status IS DISTINCT FROM 'lost')",
        limit: |throttle| throttle.slot_bytes.filter(|bytes| *bytes > 0),
        show: size::in_words,
        grows: false,
    },
    Measure {
        setting: "wal-rate",
        what: "written to the log in a second:",
        sql: "pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::bigint",
        limit: |throttle| throttle.wal_bytes_per_second.filter(|bytes| *bytes > 0),
        show: size::in_words,
        grows: true,
    },
    Measure {
        setting: "oldest-transaction",
        what: "the oldest transaction has lasted",
        // VACUUM keeps no row from being cleared away.
        sql: "(SELECT CASE WHEN NOT pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') THEN -1
                     ELSE (extract(epoch FROM pg_catalog.clock_timestamp() - least(pg_catalog.min(xact_start),
                          (SELECT pg_catalog.min(prepared) FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()))) * 1000)::bigint END
               FROM pg_catalog.pg_stat_activity
               WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
                 AND pid NOT IN (SELECT pid FROM pg_catalog.pg_stat_progress_vacuum))",
        limit: |throttle| throttle.oldest_transaction_ms.filter(|ms| *ms > 0),
        show: time::in_words,
        grows: false,
    },
    Measure {
        setting: "lock-waits",
        what: "sessions wait for a lock:",
        sql: "(SELECT pg_catalog.count(DISTINCT l.pid) FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
               WHERE NOT l.granted AND a.datname = pg_catalog.current_database() AND l.pid <> pg_catalog.pg_backend_pid())",
        limit: |throttle| throttle.lock_waits.map(u64::from),
        show: |count| count.to_string(),
        grows: false,
    },
];

/// A measure above its limit.
#[derive(Debug, PartialEq, Eq)]
struct Exceeded {
    limit: String,
    now: String,
    most: String,
}

/// What is remembered between two times.
#[derive(Default)]
pub(super) struct Throttling {
    measured: Option<Instant>,
    /// What the measure that grows was last, and when.
    last: Option<(Instant, u64)>,
    warned: bool,
}

impl Engine<'_, '_> {
    /// Waits until nothing is above its limit.
    pub(super) async fn throttle(&mut self, step: &Step, throttling: &mut Throttling) -> Result<(), ExecuteError> {
        // Nobody else is on a server that takes no second connection.
        if !self.options.second_connection || throttling.measured.is_some_and(|at| at.elapsed() < EVERY) {
            return Ok(());
        }
        let (since, mut told): (_, Option<(Instant, String)>) = (Instant::now(), None);
        loop {
            let found = match self.measured(step, throttling).await? {
                None => self.check_in_the_way().await?,
                found => found,
            };
            throttling.measured = Some(Instant::now());
            let Some(Exceeded { limit, now, most }) = found else { return Ok(()) };
            let patience = self.limits().backfill.patience();
            if since.elapsed() >= patience {
                return Err(ExecuteError::HeldBack { step: step.id, limit, now, most });
            }
            if told.as_ref().is_none_or(|(at, of)| *of != limit || at.elapsed() >= AGAIN) {
                told = Some((Instant::now(), limit.clone()));
                (self.doors.events)(&Event::HeldBack { step: step.id, limit, now, most });
            }
            self.sleep_listening(EVERY).await?;
        }
    }

    /// What is above its limit on the server.
    async fn measured(&mut self, step: &Step, throttling: &mut Throttling) -> Result<Option<Exceeded>, ExecuteError> {
        let said = self.limits().backfill;
        let throttle = said.in_full();
        let limited: Vec<(&Measure, u64)> =
            MEASURES.iter().filter_map(|measure| Some((measure, (measure.limit)(&throttle)?))).collect();
        if limited.is_empty() {
            return Ok(None);
        }
        let mut query = "SELECT pg_catalog.concat_ws(' '".to_owned();
        for (measure, _) in &limited {
            let _ = write!(query, ", coalesce({}, 0)", measure.sql);
        }
        query.push_str(") AS k");
        let text = match self.key(step, &query).await {
            Err(ExecuteError::Step(failure)) => {
                let limits: Vec<&str> = limited.iter().map(|(measure, _)| measure.setting).collect();
                let (limits, why) = (limits.join(", "), failure.message);
                return Err(ExecuteError::Unmeasured { step: step.id, limits, why });
            }
            text => text?.unwrap_or_default(),
        };
        let now = Instant::now();
        for ((measure, most), value) in limited.into_iter().zip(text.split(' ')) {
            let Ok(value) = value.parse::<i64>() else { continue };
            if value == UNSEEN {
                let limit = measure.setting.to_owned();
                if (measure.limit)(&said).is_some() {
                    let role = self.client.target().user().to_owned();
                    return Err(ExecuteError::Unseen { step: step.id, limit, role });
                }
                if !std::mem::replace(&mut throttling.warned, true) {
                    let what =
                        format!("whether {} too much is not seen by this role: {limit} is not limited", measure.what);
                    (self.doors.events)(&Event::Warning { what });
                }
                continue;
            }
            let mut value = value.unsigned_abs();
            if measure.grows {
                let grown = throttling.last.map(|(at, last)| per_second(value.saturating_sub(last), now - at));
                // As long as it is too much, it is counted from there: a pause makes less of it.
                if grown.is_none_or(|grown| grown <= most) {
                    throttling.last = Some((now, value));
                }
                value = grown.unwrap_or_default();
            }
            if value > most {
                let (what, now) = (measure.what, (measure.show)(value));
                let limit = measure.setting.to_owned();
                return Ok(Some(Exceeded { limit, now: format!("{what} {now}"), most: (measure.show)(most) }));
            }
        }
        Ok(None)
    }

    /// A check that is not successful.
    async fn check_in_the_way(&mut self) -> Result<Option<Exceeded>, ExecuteError> {
        if self.limits().backfill.without_checks {
            return Ok(None);
        }
        for name in self.plan.release.backfill_checks.clone() {
            let (measured, _) = self.measure(&name, Purpose::Backfill).await?;
            if measured.verdict != CheckVerdict::Successful {
                let (limit, now) = (format!("check {name}"), format!("check {name} says {}", measured.said));
                return Ok(Some(Exceeded { limit, now, most: "successful".to_owned() }));
            }
        }
        Ok(None)
    }
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    u64::try_from(u128::from(bytes) * 1000 / u128::from(ms)).unwrap_or(u64::MAX)
}
