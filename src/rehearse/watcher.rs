//! Every query of both versions at every state: prepared, and, where a version has a recording or synthetic rows, run.

use std::time::Duration;

use tokio_postgres::{Client, Error};

use super::preparer::Preparer;
use super::replay::Player;
use super::synthetic::{Ends, Improviser};
use super::terms::Script;
use crate::compat::matrix::{Matrix, QueryRow, State};
use crate::execute::{Future, Moment, Observer};
use crate::plan::saved::{Phase, SavedPlan};
use crate::postgres::{Session, server_message};
use crate::side::Side;
use crate::workload::{Query, Workload};

/// Looks at every query at every state.
pub(super) struct Watcher<'a> {
    plan: &'a SavedPlan,
    preparer: Preparer<'a>,
    pub(super) players: Vec<Player<'a>>,
    pub(super) improvisers: Vec<Improviser<'a>>,
    pub(super) matrix: Matrix,
}

impl<'a> Watcher<'a> {
    pub(super) fn new(script: Script<'a>, ends: Option<&'a Ends>, limit: Duration) -> Self {
        let row = |version: Side, workload: &Workload, query: &Query| {
            QueryRow::new(version, &query.name, workload.sources.place(query.span), workload.text(query))
        };
        let versions = [(Side::Blue, script.blue), (Side::Green, script.green)];
        let versions: Vec<_> = versions.into_iter().filter_map(|(version, of)| Some((version, of?))).collect();
        let rows = versions.iter().flat_map(|(version, of)| of.queries.iter().map(|query| row(*version, of, query)));
        Self {
            plan: script.plan,
            preparer: Preparer::new(versions.iter().map(|(_, workload)| *workload)),
            players: versions.iter().filter_map(|(version, workload)| Player::new(*version, workload)).collect(),
            improvisers: versions
                .iter()
                .filter_map(|(version, workload)| Improviser::new(*version, workload, ends?, limit))
                .collect(),
            matrix: Matrix { states: Vec::new(), rows: rows.collect() },
        }
    }

    /// One that prepares the queries, and runs none.
    pub(super) fn preparing(script: Script<'a>) -> Self {
        Self { players: Vec::new(), ..Self::new(script, None, Duration::ZERO) }
    }

    async fn record(&mut self, after_step: Option<u32>, client: &Client) -> Result<(), Error> {
        let last_before = self.plan.phase(Phase::Before).map(|step| step.id).max().unwrap_or(0);
        let at = after_step.unwrap_or(0);
        let state = State { after_step, blue_lives: at <= last_before, green_lives: at >= last_before };
        let at_state = self.matrix.states.len();
        for (row, cell) in self.preparer.look(client).await? {
            self.matrix.rows[row].push(at_state, cell);
        }
        let last = self.plan.steps.last().map_or(0, |step| step.id);
        if at == last && at_state > 0 {
            // Green's own schema, and a check of what was thought to be touched.
            for (row, cell) in self.preparer.look_at_all(client).await {
                self.matrix.rows[row].ends_as(at_state, cell);
            }
        }
        for player in self.players.iter_mut().filter(|player| state.lives(player.version())) {
            player.play(client, at_state, at == last).await?;
        }
        for improviser in self.improvisers.iter_mut().filter(|improviser| state.lives(improviser.version())) {
            improviser.play(client, at_state, at == last).await?;
        }
        self.matrix.states.push(state);
        Ok(())
    }
}

impl Observer for Watcher<'_> {
    fn look<'a>(&'a mut self, moment: Moment<'a>, session: &'a Session) -> Future<'a, Result<(), String>> {
        Box::pin(async move {
            match moment {
                Moment::Preflighted => self.record(None, session).await.map_err(|error| server_message(&error)),
                Moment::AfterStep(step) => {
                    self.record(Some(step.id), session).await.map_err(|error| server_message(&error))
                }
                Moment::AfterPhase(_) | Moment::Shifted(_) => Ok(()),
            }
        })
    }
}
