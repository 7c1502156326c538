//! Asking whether something may go on, once or until there is an answer.

use std::time::{Duration, Instant};

use super::database::DatabaseArgs;
use super::error::CliError;
use super::exit::Exit;
use super::format::TextOrJson;
use super::live::cli_error;
use super::watch::{LOOK, PATIENCE, connect};
use super::{database, out};
use crate::execute::{Admission, ExecuteError};
use crate::postgres::Session;
use crate::report::AdmissionDocument;

/// How long to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// One answer, whatever it is.
    Once,
    /// Until the answer is no longer "not yet", or the time is up.
    Until(Option<Duration>),
}

/// Asks, and says the last answer. A server that goes away is waited for like an answer, once it was there.
pub(super) fn ask<T>(
    database: &DatabaseArgs,
    wait: Wait,
    question: impl AsyncFn(&Session) -> Result<T, ExecuteError>,
    admission: impl Fn(&T) -> &Admission,
    format: TextOrJson,
) -> Result<Exit, CliError>
where
    for<'a> AdmissionDocument<'a>: From<&'a T>,
{
    let answer = database::runtime()?.block_on(async {
        let begun = Instant::now();
        let mut session = Some(connect(database).await?);
        let (mut last, mut said) = (None, None);
        loop {
            if session.is_none() {
                match tokio::time::timeout(PATIENCE, connect(database)).await {
                    Ok(Ok(again)) => session = Some(again),
                    Ok(Err(error)) => tell(&format!("cannot connect: {}", error.message), &mut said),
                    Err(_) => tell("cannot connect: the server does not answer", &mut said),
                }
            }
            if let Some(asked) = &session {
                match tokio::time::timeout(PATIENCE, question(asked)).await {
                    Ok(Ok(answer)) => {
                        let (Admission::NotYet(why), Wait::Until(_)) = (admission(&answer), wait) else {
                            return Ok(answer);
                        };
                        tell(why, &mut said);
                        last = Some(answer);
                    }
                    Ok(Err(error)) if wait == Wait::Once || !asked.is_closed() && !error.is_connection_lost() => {
                        return Err(match error {
                            // Nothing is under way that could be carried on.
                            error if error.is_permission_denied() => CliError::usage(error)
                                .hint("`cutover grants --role NAME --history-table TABLE` prints what this role needs"),
                            ExecuteError::Database { .. } | ExecuteError::History(_) => CliError::usage(error),
                            error => cli_error(&error),
                        });
                    }
                    Err(_) if wait == Wait::Once => return Err(CliError::usage("the database did not answer in 10 s")),
                    Ok(Err(_)) | Err(_) => session = None,
                }
            }
            let left = match wait {
                Wait::Until(limit) => limit.map(|limit| limit.saturating_sub(begun.elapsed())),
                Wait::Once => None,
            };
            if left == Some(Duration::ZERO) {
                return last
                    .ok_or_else(|| CliError::usage("the database did not answer in the time that --timeout gives"));
            }
            tokio::time::sleep(left.unwrap_or(LOOK).min(LOOK)).await;
        }
    })?;
    out::print(&match format {
        TextOrJson::Text => line(admission(&answer)),
        TextOrJson::Json => serde_json::to_string(&AdmissionDocument::from(&answer)).map_err(CliError::usage)? + "\n",
    })?;
    Ok(match admission(&answer) {
        Admission::Open(_) => Exit::Ok,
        Admission::NotYet(_) => Exit::NotYet,
        Admission::Refused(_) => Exit::Findings,
    })
}

/// Says why there is no answer yet, once for each reason.
fn tell(why: &str, said: &mut Option<String>) {
    if said.as_deref() != Some(why) {
        out::say(&format!("not yet: {why}\n"));
        *said = Some(why.to_owned());
    }
}

/// An answer for people.
fn line(admission: &Admission) -> String {
    match admission {
        Admission::Open(why) => format!("open: {why}\n"),
        Admission::NotYet(why) => format!("not yet: {why}\n"),
        Admission::Refused(why) => format!("refused: {why}\n"),
    }
}
