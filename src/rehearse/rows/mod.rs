//! The release on rows that were there before it: those of a dump, of a copy of a database, or of files that fill tables. What fails on them is
//! found before production finds it, and each step is measured.

mod bring;
mod locks;
mod measure;
mod restore;

use self::locks::Sampler;
use self::measure::Measurer;
pub use self::measure::{HeldLock, MeasuredStep, WrittenRelation};
use super::error::RehearsalError;
use super::run::run;
use super::terms::{RowSource, Script, Terms};
use super::trial::{Met, Roles};
use crate::compat::matrix::{Break, Matrix, QueryRow};
use crate::execute::{Event, Stop};
use crate::postgres::throwaway::{Throwaway, ThrowawayError};
use crate::postgres::{Target, connect};

/// What a release did on rows that were there.
#[derive(Debug, Clone)]
pub struct RealRows {
    /// Where they came from.
    pub from: String,
    /// The steps that have run, in their order.
    pub steps: Vec<MeasuredStep>,
    /// What stopped it.
    pub failure: Option<RowFailure>,
    /// Every query at every state, prepared.
    pub matrix: Matrix,
    /// Where the database was another one than the files of production make (`-` the files, `+` the database).
    pub drift: Vec<String>,
    /// How many rows the tables had that the release touches, as the server estimates it, by table.
    pub sizes: Vec<(String, u64)>,
    /// Whether locks were looked at while they were held.
    pub locks_seen: bool,
}

/// What stopped a release on rows that were there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFailure {
    /// The step; `None`: before the first one.
    pub step: Option<u32>,
    /// Why.
    pub message: String,
    /// The locks that it was seen to hold until then.
    pub locks: Vec<HeldLock>,
}

impl RealRows {
    /// Queries that fail where their version must live, and do not on the schema that the migrations alone make, which the other matrix shows.
    pub fn breaks<'a>(&'a self, elsewhere: &Matrix) -> Vec<Break<'a>> {
        let fails_there = |row: &QueryRow| {
            let same = |other: &&QueryRow| {
                other.version == row.version && other.query == row.query && other.place == row.place
            };
            elsewhere.rows.iter().find(same).is_some_and(|other| elsewhere.first_failure(other).is_some())
        };
        let broken = self.matrix.rows.iter().filter(|row| !fails_there(row));
        broken.filter_map(|row| self.matrix.first_failure(row)).collect()
    }
}

/// What a release is run on rows with.
#[derive(Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) server: &'a Throwaway,
    pub(super) script: Script<'a>,
    pub(super) terms: Terms<'a>,
    pub(super) rows: RowSource<'a>,
}

impl Stage<'_> {
    /// Brings the rows, and runs the release on them.
    pub(super) async fn look(
        self,
        roles: &Roles<'_>,
        met: &mut Met,
        events: &mut (dyn FnMut(&Event) + Send),
        stop: Stop,
    ) -> Result<RealRows, RehearsalError> {
        let target = bring::database(self.server, self.rows).await?;
        let done = self.on(&target, met, events, stop).await;
        // It may be large: it does not stay until the server goes.
        let forgotten = self.server.forget(&target, &roles.made(met)).await;
        if let Err(error) = forgotten {
            met.notes.insert(error.to_string());
        }
        done
    }

    async fn on(
        self,
        target: &Target,
        met: &mut Met,
        events: &mut (dyn FnMut(&Event) + Send),
        stop: Stop,
    ) -> Result<RealRows, RehearsalError> {
        let Self { server, script, terms, rows } = self;
        let session = connect(target).await.map_err(ThrowawayError::from)?;
        let drift = bring::rows(&session, target, self, met).await?;
        // What a dump says of the database holds for sessions that come.
        session.close().await;
        let mut session = connect(target).await.map_err(ThrowawayError::from)?;
        let sizes = measure::sizes(&session, script.plan).await.map_err(RehearsalError::measuring)?;
        let sampler = match server.allows_concurrent_sessions() {
            true => Some(Sampler::start(target, session.backend_pid()).await?),
            false => None,
        };
        let mut measurer = Measurer::new(script);
        let (mut running, mut took) = (None, Vec::new());
        let mut tell = |event: &Event| {
            match event {
                Event::StepRunning { step, .. } => {
                    running = Some(*step);
                    sampler.iter().for_each(|sampler| sampler.at(*step));
                }
                Event::Journaled { record, .. } => took.extend(measure::took(record)),
                _ => {}
            }
            events(event);
        };
        let done = run(&mut session, script.plan, &mut measurer, terms.limit, &mut tell, stop).await;
        let is_late = matches!(done, Err(RehearsalError::Limit { .. }));
        let failure = match done {
            Ok(()) => None,
            Err(error @ (RehearsalError::Release(_) | RehearsalError::Limit { .. })) => {
                Some(RowFailure { step: running, message: error.to_string(), locks: Vec::new() })
            }
            Err(other) => return Err(other),
        };
        let locks_seen = sampler.is_some();
        let locks = match sampler {
            Some(sampler) => sampler.stop().await,
            None => Vec::new(),
        };
        // One that still runs something would not end.
        if is_late {
            drop(session);
        } else {
            session.close().await;
        }
        let (steps, matrix, of_failed) = measurer.end(&took, locks, failure.as_ref().and_then(|failure| failure.step));
        let failure = failure.map(|failure| RowFailure { locks: of_failed, ..failure });
        Ok(RealRows { from: rows.describe(), steps, failure, matrix, drift, sizes, locks_seen })
    }
}
