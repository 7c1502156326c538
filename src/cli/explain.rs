//! `cutover explain`: what a code means.

use super::error::CliError;
use super::exit::Exit;
use super::out;
use crate::diagnostic::codes;

/// Say what a finding's code means; without one, list them all
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A code (`CO102`) or its name (`incompatible-change`)
    code: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let Some(wanted) = &args.code else {
        for code in codes::ALL {
            out::print(&format!("{}  {:<26}  {}\n", code.id, code.name, code.summary))?;
        }
        return Ok(Exit::Ok);
    };
    let found = codes::ALL.iter().find(|c| c.id.eq_ignore_ascii_case(wanted) || c.name == wanted);
    let code = found.ok_or_else(|| {
        CliError::usage(format!("there is no code {wanted:?}")).hint("`cutover explain` lists them all")
    })?;
    out::print(&format!("{} {}\n\n{}\n", code.id, code.name, code.summary))?;
    Ok(Exit::Ok)
}
