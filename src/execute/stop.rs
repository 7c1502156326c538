//! Two-stage cancellation: first asked politely, then not.

use tokio::sync::watch;

use super::error::ExecuteError;

/// How urgently the executor is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    /// Not at all.
    Run,
    /// Cancel the running statement, write the journal, end.
    Graceful,
    /// End now. The journal is consistent at every moment.
    Abort,
}

/// The executor's end.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<StopLevel>);

/// The signal handler's end.
#[derive(Debug)]
pub struct Stopper(watch::Sender<StopLevel>);

impl Stop {
    /// Both ends.
    pub fn channel() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(StopLevel::Run);
        (Stopper(sender), Self(receiver))
    }

    /// What was asked for so far.
    pub fn level(&self) -> StopLevel {
        *self.0.borrow()
    }

    /// Returns once at least this was asked for; never, if nobody can ask any more.
    pub async fn asked(&self, level: StopLevel) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|now| *now >= level).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for something that does no harm when it is dropped.
pub(super) async fn interruptible<T>(stop: &Stop, future: impl Future<Output = T>) -> Result<T, ExecuteError> {
    tokio::select! {
        biased;
        () = stop.asked(StopLevel::Graceful) => Err(ExecuteError::Interrupted),
        done = future => Ok(done),
    }
}

impl Stopper {
    /// Asks one level more urgently, and says which that is.
    pub fn more(&self) -> StopLevel {
        let next = match *self.0.borrow() {
            StopLevel::Run => StopLevel::Graceful,
            StopLevel::Graceful | StopLevel::Abort => StopLevel::Abort,
        };
        self.0.send_replace(next);
        next
    }
}
