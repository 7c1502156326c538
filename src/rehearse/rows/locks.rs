//! Locks that hold up the application, looked at by another session while they are held.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::effect::LockMode;
use crate::postgres::observe::lock_mode;
use crate::postgres::throwaway::ThrowawayError;
use crate::postgres::{Session, Target, connect};
use crate::rehearse::error::RehearsalError;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(20);

/// A lock that was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenLock {
    /// The step that ran.
    pub(super) step: u32,
    /// The relation's number.
    pub(super) relation: u32,
    /// The strongest mode.
    pub(super) mode: LockMode,
    /// For how long it was seen, without the time in which it was not.
    pub(super) held: Duration,
}

/// Looks at a session's locks until it is told to stop.
pub(super) struct Sampler {
    seen: Arc<Mutex<Seen>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    step: u32,
    locks: BTreeMap<(u32, u32), (LockMode, Duration, Instant)>,
}

impl Sampler {
    /// Begins to look at the session with this number.
    pub(super) async fn start(target: &Target, of: i32) -> Result<Self, RehearsalError> {
        let session = connect(target).await.map_err(ThrowawayError::from)?;
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (stop, mut stopped) = oneshot::channel();
        let into = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let look = async {
                loop {
                    // What is not seen is not told: it is not a release that fails.
                    if let Ok(locks) = held(&session, of).await {
                        note(&mut into.lock().unwrap_or_else(PoisonError::into_inner), &locks);
                    }
                    tokio::time::sleep(EVERY).await;
                }
            };
            tokio::select! {
                () = look => {}
                _ = &mut stopped => {}
            }
            session.close().await;
        });
        Ok(Self { seen, stop, task })
    }

    /// The step that runs from here on.
    pub(super) fn at(&self, step: u32) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).step = step;
    }

    /// Ends it; gives what was seen.
    pub(super) async fn stop(self) -> Vec<SeenLock> {
        let _ = self.stop.send(());
        let _ = self.task.await;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = |(&(step, relation), &(mode, held, _)): (&(u32, u32), &(LockMode, Duration, Instant))| SeenLock {
            step,
            relation,
            mode,
            held,
        };
        seen.locks.iter().map(lock).collect()
    }
}

fn note(seen: &mut Seen, locks: &[(u32, LockMode)]) {
    let (step, now) = (seen.step, Instant::now());
    for &(relation, mode) in locks {
        let (strongest, held, last) = seen.locks.entry((step, relation)).or_insert((mode, Duration::ZERO, now));
        // Whoever tries again has let go meanwhile.
        let since = now - *last;
        *held += if since < EVERY * 3 { since } else { Duration::ZERO };
        (*strongest, *last) = (mode.max(*strongest), now);
    }
}

async fn held(session: &Session, of: i32) -> Result<Vec<(u32, LockMode)>, tokio_postgres::Error> {
    let query = "SELECT relation, mode FROM pg_catalog.pg_locks WHERE pid = $1 AND locktype = 'relation' AND granted";
    let rows = session.query(query, &[&of]).await?;
    let lock =
        |row: &tokio_postgres::Row| Some((row.get(0), lock_mode(row.get(1)).filter(|mode| *mode >= LockMode::Share)?));
    Ok(rows.iter().filter_map(lock).collect())
}
