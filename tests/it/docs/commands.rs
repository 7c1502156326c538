//! The commands that a page tells people to type, held against the program's own help.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::page::{Page, root};
use crate::support;

/// `cutover SUBCOMMAND --option …`
pub(super) struct Command {
    sub: String,
    options: Vec<String>,
}

impl Command {
    /// What the program does not know.
    pub(super) fn problem(&self) -> Option<String> {
        let Some(help) = helps().get(&self.sub) else { return Some(format!("there is no `cutover {}`", self.sub)) };
        let unknown: Vec<_> = self.options.iter().filter(|option| !has(help, option)).map(String::as_str).collect();
        (!unknown.is_empty()).then(|| format!("`cutover {}` has no {}", self.sub, unknown.join(", ")))
    }
}

/// Whether a help has this word.
fn has(help: &str, word: &str) -> bool {
    help.split(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '.' | '=')).any(|found| found == word)
}

/// Options in the text of a page, without their command, that no command has.
pub(super) fn unknown_options(page: &Page) -> Vec<String> {
    let options = page.codes().into_iter().filter(|code| code.starts_with("--") && code.len() > 2);
    let options = options.map(|code| code.split([' ', '=']).next().unwrap().to_owned());
    options.filter(|option| !helps().values().any(|help| has(help, option))).collect()
}

/// The help of each sub-command.
pub(super) fn helps() -> &'static BTreeMap<String, String> {
    static HELPS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    HELPS.get_or_init(|| {
        let help = |args: &[&str]| {
            let output = support::cutover(root()).args(args).arg("--help").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let names = |help: &str| -> Vec<String> {
            let commands = help.split("\nOptions:").next().unwrap();
            // Lines that go on with an explanation are indented further.
            let lines = commands.lines().filter_map(|line| line.strip_prefix("  "));
            let lines = lines.filter(|line| !line.starts_with(' '));
            lines
                .filter_map(|line| line.split_whitespace().next())
                .filter(|name| *name != "help")
                .map(str::to_owned)
                .collect()
        };
        let mut helps = BTreeMap::new();
        for name in names(&help(&[])) {
            let own = help(&[&name]);
            // One of a group has a name of two words.
            let group = own.split_once("\nCommands:\n").map(|(_, listed)| names(listed)).unwrap_or_default();
            helps.extend(group.into_iter().map(|sub| (format!("{name} {sub}"), help(&[&name, &sub]))));
            helps.insert(name, own);
        }
        // The rest of a line that was wrapped is no command.
        helps.retain(|_, help| !help.is_empty());
        helps
    })
}

/// What an argument or `--format` of a command may be.
pub(super) fn values(command: &str) -> Vec<String> {
    let help = &helps()[command];
    let from = if command == "schema" { help.as_str() } else { help.split("--format <").nth(1).unwrap() };
    let listed = from.split("Possible values:\n").nth(1).unwrap().lines();
    let listed = listed.map_while(|line| line.trim_start().strip_prefix("- "));
    listed.map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

/// All commands of a page, in its blocks and in its text, with their places.
pub(super) fn of(page: &Page) -> Vec<(Command, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for block in page.blocks().into_iter().filter(|block| matches!(&*block.language, "console" | "sh" | "yaml")) {
        let text = block.text.replace("\\\n", " ");
        lines.extend(text.lines().map(|line| (line.to_owned(), block.place.clone())));
    }
    // `plan --observe` is one, too.
    let is_short = |code: &str| code.split_once(" --").is_some_and(|(sub, _)| helps().contains_key(sub));
    let whole = |code: String| if is_short(&code) { format!("cutover {code}") } else { code };
    lines.extend(page.codes().into_iter().map(|code| (whole(code), page.path.to_string())));
    let commands = lines.into_iter().filter_map(|(line, place)| {
        let line = line.split(" | ").next().unwrap().split(" # ").next().unwrap().to_owned();
        Some((parse(&line)?, place))
    });
    commands.collect()
}

fn parse(line: &str) -> Option<Command> {
    let line = line.trim_start_matches("$ ").replace("cargo run -- ", "cutover ");
    let line = line.trim().trim_start_matches("- run: ").trim_start_matches("run: ");
    let mut words = line.strip_prefix("cutover ")?.split_whitespace().peekable();
    let sub = words.next()?;
    // `cutover …` in a sentence, and the version or help of the program as a whole.
    if sub.starts_with(|c: char| !c.is_ascii_lowercase()) {
        return None;
    }
    let of_group = |next: &&str| helps().contains_key(&format!("{sub} {next}"));
    let sub = words.next_if(of_group).map_or_else(|| sub.to_owned(), |next| format!("{sub} {next}"));
    let mut options = Vec::new();
    for word in words {
        // What is behind it is another program's.
        if word == "--" {
            break;
        }
        if word.starts_with("--") {
            options.push(word.split('=').next().unwrap().trim_end_matches(['`', ',', ';']).to_owned());
        } else if let Some(short) = word.strip_prefix('-').filter(|rest| rest.len() == 1) {
            options.push(format!("-{short}"));
        }
        if word == "--traffic-exec" {
            break;
        }
    }
    Some(Command { sub, options })
}
