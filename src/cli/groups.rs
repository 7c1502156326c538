//! The commands in the order of a pipeline, as `cutover --help` lists them.

use std::fmt::Write as _;

use clap::Command;

/// What people do, and the commands that they do it with.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Analyse", &["lint", "plan", "explain", "rules", "stats", "graph", "report"]),
    ("Rehearse", &["record", "rehearse"]),
    ("Run", &["execute", "promote", "pause", "abort", "rollback", "resume"]),
    ("Operate", &["check", "status", "debt", "ready", "gate", "serve", "traffic", "log", "grants", "config", "schema"]),
];

const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}";

/// The command line with its commands in groups.
pub(super) fn grouped(cli: Command) -> Command {
    let listed = list(&cli);
    cli.help_template(TEMPLATE).after_help(listed)
}

fn list(cli: &Command) -> String {
    let width = cli.get_subcommands().map(|command| command.get_name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(text, "{}{group}:", if text.is_empty() { "" } else { "\n" });
        for command in names.iter().filter_map(|name| cli.find_subcommand(name)) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {:<width$}  {about}", command.get_name());
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let cli = super::super::Cli::command();
        let mut all: Vec<&str> = cli.get_subcommands().map(Command::get_name).collect();
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        all.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, all);
    }
}
