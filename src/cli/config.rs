//! `cutover config`: the settings in force.

use camino::Utf8PathBuf;

use super::error::CliError;
use super::exit::Exit;
use super::format::TextOrJson;
use super::{out, settings};
use crate::config::{self, Setting};
use crate::report::{SETTINGS_FORMAT_VERSION, SettingsDocument};

/// Look at the settings
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(ShowArgs),
}

/// Show the settings in force: those of `cutover.toml`, what environment variables say instead, and what holds where neither says anything
///
/// Prints TOML. `CUTOVER_RELEASE_LOCK_TIMEOUT` stands for `lock-timeout` of `[release]`, and every other setting has its variable by the same rule;
/// a list or a table is written as in TOML. Sections that you name, such as `[traffic.edge]`, must be in the file: `CUTOVER_TRAFFIC_EDGE_SOCKET`. Options
/// of a command count before all of them. A secret of the traffic, a check, a hook or news is shown by the name of where it is; values of placeholders, and commands, are shown as they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover config show
  cutover config show deploy --origin
  CUTOVER_RELEASE_RAMP=10,100 cutover config show --origin

Exit codes: 0 they are well-formed · 2 they are not")]
struct ShowArgs {
    /// The folder of a `cutover.toml`
    #[arg(value_name = "DIR", default_value = ".")]
    folder: Utf8PathBuf,
    /// Say where each comes from
    #[arg(long)]
    origin: bool,
    /// `text` for people, `json` for machines
    #[arg(long, value_enum, default_value = "text")]
    format: TextOrJson,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let Command::Show(args) = &args.command;
    if !args.folder.is_dir() {
        return Err(CliError::usage(format!("{} is not a folder", args.folder)));
    }
    let (path, text) = config::text(&args.folder).map_err(CliError::usage)?;
    let settings = config::settings(&path, &text.unwrap_or_default(), &settings::variables());
    let settings = settings.map_err(CliError::usage)?;
    out::print(&match args.format {
        TextOrJson::Json => {
            let document = SettingsDocument { format_version: SETTINGS_FORMAT_VERSION, settings: &settings };
            serde_json::to_string_pretty(&document).map_err(CliError::usage)? + "\n"
        }
        TextOrJson::Text => as_toml(&settings, args.origin)?,
    })?;
    Ok(Exit::Ok)
}

/// A line a setting, which is TOML. Its origin stands behind it as a comment.
fn as_toml(settings: &[Setting], with_origin: bool) -> Result<String, CliError> {
    let mut lines = Vec::new();
    for setting in settings {
        let key: Vec<String> = setting.path.iter().map(|part| quoted(part)).collect();
        let value = toml::Value::try_from(&setting.value).map_err(CliError::usage)?;
        lines.push((format!("{} = {value}", key.join(".")), &setting.origin));
    }
    let width = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    Ok(lines
        .iter()
        .map(|(line, origin)| match with_origin {
            true => format!("{line:<width$}  # {origin}\n"),
            false => format!("{line}\n"),
        })
        .collect())
}

/// Origins do not go further to the right for a longer line.
const WIDEST: usize = 60;

/// A key of TOML.
fn quoted(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_bare { key.to_owned() } else { toml::Value::from(key).to_string() }
}
