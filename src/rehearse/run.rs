//! The plan through the real executor, with nothing around it that is real.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::RehearsalError;
use crate::checks::Checks;
use crate::execute::{Clock, Doors, Event, ExecuteError, Future, Observer, Options, Outcome, Stop, execute};
use crate::plan::saved::SavedPlan;
use crate::postgres::Session;
use crate::tell::HookSet;
use crate::traffic::Simulated;

/// Runs it to its end. `limit`: how long a step may take.
pub(super) async fn run(
    session: &mut Session,
    plan: &SavedPlan,
    observer: &mut dyn Observer,
    limit: Duration,
    events: &mut (dyn FnMut(&Event) + Send),
    stop: Stop,
) -> Result<(), RehearsalError> {
    let traffic = Simulated::default();
    // Nothing that is waited for may wait for ever, whatever it is.
    let doing = Mutex::new((Instant::now(), "the checks before the first step".to_owned()));
    let mut tell = |event: &Event| {
        if let Event::StepRunning { step, object, action, .. } = event {
            *doing.lock().unwrap_or_else(PoisonError::into_inner) =
                (Instant::now(), format!("step {step} ({object}, {action})"));
        }
        events(event);
    };
    let mut doors = Doors {
        checks: &Checks::Simulated,
        hooks: &HookSet::Simulated,
        traffic: &traffic,
        events: &mut tell,
        observer: Some(observer),
        stop,
        clock: &NoWait,
        cancel: None,
        beside: None,
        boundary: None,
    };
    let options = Options { accept_base: true, at_any_time: true, ..Options::default() };
    let plan = plan.from_the_beginning();
    let watchdog = async {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let (since, what) = doing.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if since.elapsed() > limit {
                return what;
            }
        }
    };
    tokio::select! {
        done = execute(session, &plan, &options, &mut doors) => match done? {
            Outcome::Done { .. } => Ok(()),
            other => Err(ExecuteError::Observed(format!("it did not come to its end: {other:?}")).into()),
        },
        what = watchdog => Err(RehearsalError::Limit { what, limit }),
    }
}

/// Nobody drains on a throwaway server.
struct NoWait;

impl Clock for NoWait {
    fn sleep(&self, _: Duration) -> Future<'static, ()> {
        Box::pin(async {})
    }
}
