//! What differs between a rehearsal and the real thing.

use std::pin::Pin;
use std::time::Duration;

use crate::postgres::{Session, connect};

use super::event::Event;
use super::stop::Stop;
use crate::checks::Checks;
use crate::plan::saved::{Phase, Step};
use crate::tell::HookSet;
use crate::traffic::{Share, TrafficBackend};

/// A boxed future.
pub type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;

/// When an [`Observer`] is called. The connection is outside any transaction.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Moment<'a> {
    /// Everything was checked; nothing was done.
    Preflighted,
    /// A step was done.
    AfterStep(&'a Step),
    /// A phase is over.
    AfterPhase(Phase),
    /// Green has this share.
    Shifted(Share),
}

/// Looks at the database between the steps, over the engine's own connection.
pub trait Observer: Send {
    /// Looks. An error stops the release, which can be resumed.
    fn look<'a>(&'a mut self, moment: Moment<'a>, client: &'a Session) -> Future<'a, Result<(), String>>;
}

/// Time, so that tests need none.
pub trait Clock: Send + Sync {
    /// Waits.
    fn sleep(&self, duration: Duration) -> Future<'static, ()>;
}

/// The real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn sleep(&self, duration: Duration) -> Future<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Opens a connection, or says why it cannot.
pub type Beside = dyn Fn() -> Future<'static, Result<Session, String>> + Send + Sync;

/// What differs between a rehearsal and the real thing.
#[non_exhaustive]
pub struct Doors<'a> {
    /// What moves the traffic.
    pub traffic: &'a dyn TrafficBackend,
    /// Who is told.
    pub events: &'a mut (dyn FnMut(&Event) + Send),
    /// Who looks between the steps.
    pub observer: Option<&'a mut dyn Observer>,
    /// Whether to stop.
    pub stop: Stop,
    /// What the time is.
    pub clock: &'a dyn Clock,
    /// What is asked how green does. A release that asks for a check which is not here is refused.
    pub checks: &'a Checks,
    /// Whom the release calls on its way. One that asks for a hook which is not here is refused.
    pub hooks: &'a HookSet,
    /// Cancels the statement that the connection runs, over a connection of its own.
    pub cancel: Option<&'a (dyn Fn() -> Future<'static, ()> + Send + Sync)>,
    /// Opens a second connection to the same database, or says why it cannot. Without it no session is ended that keeps a step waiting.
    pub beside: Option<&'a Beside>,
    /// Called before and after everything that changes the journal: where tests kill the process.
    #[doc(hidden)]
    pub boundary: Option<&'a mut (dyn FnMut(&'static str) + Send)>,
}

impl<'a> Doors<'a> {
    /// Nobody looks between the steps, nobody stops the release, and time is the real one.
    pub fn new(traffic: &'a dyn TrafficBackend, events: &'a mut (dyn FnMut(&Event) + Send)) -> Self {
        let (_, stop) = Stop::channel();
        Self {
            traffic,
            events,
            observer: None,
            stop,
            clock: &SystemClock,
            checks: Checks::NONE,
            hooks: HookSet::NONE,
            cancel: None,
            beside: None,
            boundary: None,
        }
    }

    /// A place where tests kill the process.
    pub(super) fn passes(&mut self, place: &'static str) {
        if let Some(boundary) = &mut self.boundary {
            boundary(place);
        }
    }
}

/// Cancels what a session runs.
pub fn canceller(session: &Session) -> impl Fn() -> Future<'static, ()> + Send + Sync + use<> {
    let cancel = session.cancel_handle();
    move || {
        let (cancel, runtime) = (cancel.clone(), tokio::runtime::Handle::current());
        // On a thread of its own, because the compiler does not see that the future is `Send`.
        let asked = tokio::task::spawn_blocking(move || runtime.block_on(cancel.cancel()));
        Box::pin(async move {
            // The statement itself tells whether it was cancelled.
            let _ = asked.await;
        })
    }
}

/// Opens connections to where a session is connected to.
pub fn beside(session: &Session) -> impl Fn() -> Future<'static, Result<Session, String>> + Send + Sync + use<> {
    let target = session.target().clone();
    move || {
        let target = target.clone();
        Box::pin(async move { connect(&target).await.map_err(|error| error.to_string()) })
    }
}
