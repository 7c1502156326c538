//! `cutover lint`: the rules, what stands around them, the formats, the command.

mod allow;
mod base;
mod baseline;
mod command;
mod corpus;
mod fixes;
mod formats;
mod rules;
mod truth;

use std::path::Path;
use std::process::{Command, Output};

use crate::support;

/// A fresh directory with these files.
fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), files);
    directory
}

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// `cutover` there, which may call git.
fn cutover(directory: &Path) -> Command {
    let mut command = support::cutover(directory);
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CEILING_DIRECTORIES", std::env::temp_dir());
    command
}

/// Runs it with the words of `args`.
fn run(directory: &Path, args: &str) -> Output {
    cutover(directory).args(args.split(' ')).output().unwrap()
}

/// What it says.
fn check(directory: &Path, args: &str) -> String {
    support::transcript(&run(directory, args))
}

/// Codes and places of the findings, one a line, by the JSON that `lint` prints with `args`.
fn brief(directory: &Path, args: &str) -> String {
    let output = run(directory, &format!("lint {args} --format json"));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", support::transcript(&output)));
    let findings = document["findings"].as_array().unwrap().iter().map(|finding| {
        let place = match finding["places"].as_array().unwrap().first() {
            Some(place) => format!("{}:{}", place["path"].as_str().unwrap(), place["line"]),
            None => "-".to_owned(),
        };
        format!("{place} {} {}\n", finding["severity"].as_str().unwrap(), finding["name"].as_str().unwrap())
    });
    format!("exit {}\n{}", support::exit(&output), findings.collect::<String>())
}

const USERS: (&str, &str) = ("m/V1__users.sql", "CREATE TABLE users (id bigint PRIMARY KEY, name text, age int);\n");
