//! `cutover rules`: all rules.

use super::error::CliError;
use super::exit::Exit;
use super::out;
use crate::lint::RULES;
use crate::report::lint::table;

/// List all rules
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `text` for people, `json` for machines, `markdown` for documents
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let text = match args.format {
        Format::Markdown => table(),
        Format::Text => RULES
            .iter()
            .map(|rule| {
                let name = rule.severity.name();
                format!("{}  {:<29}  {name:<7}  {}\n", rule.code.id, rule.code.name, rule.code.summary)
            })
            .collect(),
        Format::Json => {
            let rules = RULES.iter().map(|rule| {
                serde_json::json!({
                    "code": rule.code.id,
                    "name": rule.code.name,
                    "severity": rule.severity.name(),
                    "allowable": rule.allowable(),
                    "summary": rule.code.summary,
                    "what": rule.docs.what,
                    "why": rule.docs.why,
                    "references": rule.docs.references,
                })
            });
            format!("{:#}\n", serde_json::Value::Array(rules.collect()))
        }
    };
    out::print(&text)?;
    Ok(Exit::Ok)
}
