//! `cutover explain`: what a code means.

use super::error::CliError;
use super::exit::Exit;
use super::out;
use crate::lint::{RULES, find, nearest};
use crate::report::lint::page;

/// Say what a finding's code means; without one, list them all
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A code (`CO102`) or its name (`incompatible-change`)
    code: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let Some(wanted) = &args.code else {
        for rule in RULES {
            out::print(&format!("{}  {:<29}  {}\n", rule.code.id, rule.code.name, rule.code.summary))?;
        }
        return Ok(Exit::Ok);
    };
    let rule = find(wanted).ok_or_else(|| {
        let error = CliError::usage(format!("there is no code {wanted:?}"));
        match nearest(wanted) {
            Some(name) => error.hint(format!("did you mean {name:?}? `cutover explain` lists them all")),
            None => error.hint("`cutover explain` lists them all"),
        }
    })?;
    out::print(&page(rule))?;
    Ok(Exit::Ok)
}
