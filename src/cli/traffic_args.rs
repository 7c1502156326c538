//! What moves the traffic: as the command says, as the plan does, or as the release was begun.

use camino::Utf8Path;

use super::error::CliError;
use super::{database, format};
use crate::checks::{self, Checks};
use crate::config;
use crate::execute;
use crate::postgres::Session;
use crate::release::{Check, Configured, Definition};
use crate::traffic::{self, BackendKind, Exec, KINDS, Manual, Needs, Program, Surroundings, TrafficBackend};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct TrafficArgs {
    /// What moves the traffic [default: as the plan or `cutover.toml` says, or as the release was begun; or else manual]
    #[arg(long, value_parser = format::named(KINDS.iter().filter(|kind| kind.needs == Needs::Nothing), |kind| (kind.name, kind.about)))]
    traffic: Option<&'static BackendKind>,
    /// A program moves the traffic: its path and arguments, up to the end of the line or a lone `;`
    #[arg(long, value_names = ["PROGRAM", "ARGS"], num_args = 1.., value_terminator = ";", allow_hyphen_values = true, conflicts_with = "traffic")]
    traffic_exec: Vec<String>,
}

/// What says which backend it is, where the command does not.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said<'a> {
    /// A plan, of a release that begins.
    ByPlan(&'a Definition),
    /// The journal, of a release that was begun.
    ByJournal,
}

impl TrafficArgs {
    pub(super) async fn backend(&self, said: Said<'_>, session: &Session) -> Result<Box<dyn TrafficBackend>, CliError> {
        if let Some(given) = self.given()? {
            return Ok(given);
        }
        let traffic = match said {
            Said::ByPlan(release) => release.traffic.clone(),
            Said::ByJournal => begun(session).await?,
        };
        traffic.map_or_else(|| Ok(Box::new(Manual) as Box<dyn TrafficBackend>), |traffic| open(&traffic))
    }

    /// That of the command itself.
    pub(super) fn given(&self) -> Result<Option<Box<dyn TrafficBackend>>, CliError> {
        if let Some((path, args)) = self.traffic_exec.split_first() {
            let hidden_environment = surroundings().hidden_environment;
            let program = Program { path: path.into(), args: args.to_vec(), hidden_environment };
            return Ok(Some(Box::new(Exec::new(program))));
        }
        self.traffic.map(|kind| open(&Configured::named(kind.name))).transpose()
    }
}

/// Makes a backend.
pub(super) fn open(traffic: &Configured) -> Result<Box<dyn TrafficBackend>, CliError> {
    traffic::open(traffic, &surroundings()).map_err(CliError::usage)
}

/// A program inherits the environment but for whatever leads into the database.
fn surroundings() -> Surroundings {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let hidden_environment = names.filter(|name| name.starts_with("PG") || name == database::VARIABLE).collect();
    Surroundings { hidden_environment, variable: |name| std::env::var(name).ok() }
}

/// The backend that the release was begun with, where it is known. A program is not taken from the journal: whoever can write there could run what they
/// like on this machine, and have secrets sent to where they like.
async fn begun(session: &Session) -> Result<Option<Configured>, CliError> {
    // What is wrong with the journal, the command itself reports.
    let Ok(Some((release, status))) = execute::status(session).await else { return Ok(None) };
    let name = status.traffic.backend;
    let needs = |traffic: &Configured| traffic::kind(traffic).ok().map(|kind| kind.needs);
    let is_safe = |traffic: &Configured| needs(traffic) != Some(Needs::ThisMachine) && !traffic.names_secrets();
    let planned =
        release.saved_plan().ok().and_then(|plan| plan.release.traffic).filter(|traffic| traffic.name == name);
    let named = || Some(Configured::named(&name)).filter(|named| needs(named) == Some(Needs::Nothing));
    let in_journal = planned.or_else(named).filter(is_safe);
    if in_journal.is_some() {
        return Ok(in_journal);
    }
    let config = config::find(Utf8Path::new(".")).map_err(CliError::usage)?.unwrap_or_default();
    Ok(config.inputs.release.traffic.filter(|traffic| traffic.name == name))
}

/// The checks of a release. A program is not taken from the journal either; that of this folder's `cutover.toml` with the same name is.
pub(super) async fn checks(said: Said<'_>, session: &Session) -> Result<Checks, CliError> {
    let checks = match said {
        Said::ByPlan(release) => release.checks.clone(),
        Said::ByJournal => begun_checks(session).await?,
    };
    Checks::open(&checks, &surroundings()).map_err(CliError::usage)
}

async fn begun_checks(session: &Session) -> Result<Vec<Check>, CliError> {
    let Ok(Some((release, _))) = execute::status(session).await else { return Ok(Vec::new()) };
    let mut checks = release.saved_plan().map(|plan| plan.release.checks).unwrap_or_default();
    if checks.is_empty() {
        return Ok(checks);
    }
    let here = config::find(Utf8Path::new(".")).map_err(CliError::usage)?.unwrap_or_default().inputs.release.checks;
    let is_program =
        |check: &Check| checks::kind(&check.configured).is_none_or(|kind| kind.needs == Needs::ThisMachine);
    checks.retain_mut(|check| match is_program(check) {
        false => true,
        true => here
            .iter()
            .find(|one| one.configured.name == check.configured.name)
            .map(|one| check.configured = one.configured.clone())
            .is_some(),
    });
    Ok(checks)
}
