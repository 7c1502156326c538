//! `cutover check`: what a release looks at before it goes on.

use camino::Utf8PathBuf;

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::exit::Exit;
use super::live::cli_error;
use super::{out, planning};
use crate::execute::{self, CheckedRelease, Options};
use crate::release::DatabasePart;

/// Look whether a plan could begin, or the release that was begun last could go on
///
/// History and schema, what the names in the plan mean to this role, who owns what the steps change, and what depends on what they drop: all that `execute`,
/// `promote` and `resume` look at before they do anything. Reads only.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover check
  cutover check release.plan --database postgres://deploy@db/shop

Exit codes: 0 nothing is in the way · 1 the plan is unsafe · 2 usage, connection, or nothing to look at · 4 a step would fail ·
6 history or schema are not as the plan or the release has them")]
pub(super) struct Args {
    /// A plan that was saved; without it the release that was begun last
    plan: Option<Utf8PathBuf>,
    /// As for `resume --replan`
    #[arg(long, value_name = "STEP", requires = "plan")]
    abandon: Vec<u32>,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let plan = args.plan.as_deref().map(planning::read_saved).transpose()?;
    // Over which databases it is to run is asked when it begins.
    let part = Some(DatabasePart::Alone);
    let options = Options { second_connection: true, part, ..Options::default() };
    let CheckedRelease { release, left, .. } = database::runtime()?.block_on(async {
        let session = args.database.connect().await?;
        let checked = execute::check(&session, plan.as_ref(), &args.abandon, &options).await;
        checked.map_err(|error| match error.is_permission_denied() {
            true => CliError::usage(error)
                .hint("nothing is known to be wrong: this role may not look; use the role that deploys, or grant it what is missing"),
            false => cli_error(&error),
        })
    })?;
    let what =
        release.map_or_else(|| "The plan can begin".to_owned(), |release| format!("Release {release} can go on"));
    let steps = if left == 1 { "1 step has".to_owned() } else { format!("{left} steps have") };
    out::print(&format!("{what}, as far as it can be known now; {steps} not run.\n"))?;
    Ok(Exit::Ok)
}
