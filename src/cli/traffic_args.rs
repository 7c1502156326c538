//! What moves the traffic: as the command says, as the plan does, or as the release was begun.

use std::collections::BTreeSet;

use super::error::CliError;
use super::{format, settings};
use crate::checks::{self, Checks};
use crate::config;
use crate::execute;
use crate::postgres::Session;
use crate::release::{Configured, ReleaseDefinition};
use crate::tell::{self, HookSet, NewsSet};
use crate::traffic::{self, BackendKind, Exec, KINDS, Manual, Needs, Program, TrafficBackend};

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
    Plan(&'a ReleaseDefinition),
    /// The journal, of a release that was begun.
    Journal,
    /// A plan by which a release that was begun goes on: its checks, hooks and news count from now on.
    Replan(&'a ReleaseDefinition),
}

/// How a release is to go, as plan or journal say.
pub(super) struct Release {
    definition: ReleaseDefinition,
    /// The backend's name, where it was begun.
    begun_with: Option<String>,
}

impl Release {
    pub(super) async fn read(said: Said<'_>, session: &Session) -> Self {
        if let Said::Plan(definition) = said {
            return Self { definition: definition.clone(), begun_with: None };
        }
        let replan = if let Said::Replan(definition) = said { Some(definition.clone()) } else { None };
        // What is wrong with the journal, the command itself reports.
        let Ok(Some((release, status))) = execute::status(session).await else {
            return Self { definition: replan.unwrap_or_default(), begun_with: None };
        };
        let journaled = || harmless(release.saved_plan().map(|plan| plan.release).unwrap_or_default());
        Self { definition: replan.unwrap_or_else(journaled), begun_with: Some(status.traffic.backend) }
    }

    /// Its checks, hooks and news.
    pub(super) fn parts(&self) -> Result<(Checks, HookSet, NewsSet), CliError> {
        let (release, surroundings) = (&self.definition, settings::surroundings());
        let checks = Checks::open(&release.checks, &surroundings).map_err(CliError::usage)?;
        let hooks = HookSet::open(&release.hooks, &surroundings).map_err(CliError::usage)?;
        let news = NewsSet::open(&release.notify, &surroundings).map_err(CliError::usage)?;
        Ok((checks, hooks, news))
    }
}

impl TrafficArgs {
    pub(super) fn backend(&self, release: &Release) -> Result<Box<dyn TrafficBackend>, CliError> {
        if let Some(given) = self.given()? {
            return Ok(given);
        }
        let said = release.definition.traffic.clone();
        let traffic = match &release.begun_with {
            None => said,
            Some(name) => begun(name, said)?,
        };
        traffic.map_or_else(|| Ok(Box::new(Manual) as Box<dyn TrafficBackend>), |traffic| open(&traffic))
    }

    /// That of the command itself.
    pub(super) fn given(&self) -> Result<Option<Box<dyn TrafficBackend>>, CliError> {
        if let Some((path, args)) = self.traffic_exec.split_first() {
            let hidden_environment = settings::surroundings().hidden_environment;
            let program = Program { path: path.into(), args: args.to_vec(), hidden_environment };
            return Ok(Some(Box::new(Exec::new(program))));
        }
        self.traffic.map(|kind| open(&Configured::named(kind.name))).transpose()
    }
}

/// Makes a backend.
pub(super) fn open(traffic: &Configured) -> Result<Box<dyn TrafficBackend>, CliError> {
    traffic::open(traffic, &settings::surroundings()).map_err(CliError::usage)
}

/// The backend that the release was begun with, where it is known. A program is not taken from the journal: whoever can write there could run what they
/// like on this machine, and have secrets sent to where they like.
fn begun(name: &str, planned: Option<Configured>) -> Result<Option<Configured>, CliError> {
    let needs = |traffic: &Configured| traffic::kind(traffic).ok().map(|kind| kind.needs);
    let is_safe = |traffic: &Configured| needs(traffic).is_none_or(|needs| is_harmless(needs, traffic));
    let planned = planned.filter(|traffic| traffic.name == name);
    let named = || Some(Configured::named(name)).filter(|named| needs(named) == Some(Needs::Nothing));
    let (begun, in_journal) = (planned.clone(), planned.or_else(named).filter(is_safe));
    if in_journal.is_some() {
        return Ok(in_journal);
    }
    let config = settings::here()?;
    let here = config.inputs.release.traffic.filter(|traffic| traffic.name == name);
    match (begun, &here) {
        (Some(begun), Some(here)) if (&begun.kind, &begun.settings) != (&here.kind, &here.settings) => {
            let other = format!(
                "[traffic.{name}] of {} is not what the release was begun with: {}",
                config::FILE_NAME,
                differs(&begun, here)
            );
            let hint = "put it back until this release is over, in the file or in the variables of the environment; blue and green change places for the next one only";
            Err(CliError::usage(other).hint(hint))
        }
        _ => Ok(here),
    }
}

/// In what the settings of a backend differ, by name.
fn differs(begun: &Configured, here: &Configured) -> String {
    let names: BTreeSet<&String> = begun.settings.keys().chain(here.settings.keys()).collect();
    let other = names.into_iter().filter(|name| begun.settings.get(*name) != here.settings.get(*name));
    let kind = (begun.kind != here.kind).then_some("kind");
    let other: Vec<String> =
        kind.into_iter().chain(other.map(String::as_str)).map(|name| format!("`{name}`")).collect();
    format!("{} {}", other.join(", "), if other.len() == 1 { "is other" } else { "are other" })
}

/// Whether it may come from a journal.
fn is_harmless(needs: Needs, configured: &Configured) -> bool {
    needs != Needs::ThisMachine && !configured.names_secrets()
}

/// A release as its journal says, without what names programs or secrets in checks, hooks and news: that is taken from this folder's `cutover.toml`, where
/// that has it under the same name; what is missing then, the release asks for.
fn harmless(mut begun: ReleaseDefinition) -> ReleaseDefinition {
    if begun.checks.is_empty() && begun.hooks.is_empty() && begun.notify.is_empty() {
        return begun;
    }
    // Only what is missing needs it.
    let here = settings::at_hand("checks, hooks and news that stand there are").inputs.release;
    let check =
        |configured: &Configured| checks::kind(configured).is_some_and(|kind| is_harmless(kind.needs, configured));
    let listener =
        |configured: &Configured| tell::kind(configured).is_some_and(|kind| is_harmless(kind.needs, configured));
    // A hook that stands under another name than its moment was not written by this tool.
    begun.hooks.retain(|hook| hook.configured.name == hook.moment.name());
    replace(&mut begun.checks, &here.checks, |check| &mut check.configured, |c| &c.configured, check);
    replace(&mut begun.hooks, &here.hooks, |hook| &mut hook.configured, |h| &h.configured, listener);
    replace(&mut begun.notify, &here.notify, |notify| &mut notify.configured, |n| &n.configured, listener);
    begun
}

/// Takes from `here` what is not `known` to be harmless; what is not there goes.
fn replace<T>(
    begun: &mut Vec<T>,
    here: &[T],
    place: impl Fn(&mut T) -> &mut Configured,
    look: impl Fn(&T) -> &Configured,
    known: impl Fn(&Configured) -> bool,
) {
    begun.retain_mut(|one| {
        if known(look(one)) {
            return true;
        }
        let own = here.iter().map(&look).find(|own| own.name == look(one).name);
        own.map(|own| *place(one) = own.clone()).is_some()
    });
}
