//! README.md and the manual: links lead somewhere, commands and their options exist, and what is shown is what is printed.
//!
//! A block with output has a comment before it, `<!-- output: name -->`, and `shown.rs` makes that output anew. After a change that is meant
//! to alter what is printed: `UPDATE_DOCS=1 cargo test --test it docs`, and read the diff.

mod commands;
mod page;
mod shown;

use std::collections::BTreeSet;

use camino::Utf8Path;
use page::{all, manual, read, root};

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let mut broken = Vec::new();
    for page in all() {
        for link in page.links() {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').map_or((&*link, None), |(path, anchor)| (path, Some(anchor)));
            let folder = page.path.parent().unwrap();
            let target = if path.is_empty() { root().join(&page.path) } else { root().join(folder).join(path) };
            let Ok(target) = target.canonicalize_utf8() else {
                broken.push(format!("{}: {link}", page.path));
                continue;
            };
            if let Some(anchor) = anchor {
                let heading = read(target).anchors().iter().any(|heading| heading == anchor);
                broken.extend((!heading).then(|| format!("{}: {link}: no such heading", page.path)));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

/// Each page is found from the manual's index, and the index from the README.
#[test]
fn every_page_is_listed() {
    let links = |path: &str| read(path).links();
    let index = links("docs/README.md");
    for page in manual() {
        let name = page.path.file_name().unwrap();
        let listed = name == "README.md" || index.iter().any(|link| link == name);
        assert!(listed, "{} is not in docs/README.md", page.path);
    }
    assert!(links("README.md").iter().any(|link| link == "docs/README.md"));
}

/// It is what somebody reads first, and on the pages of registries; the rest is in the manual.
#[test]
fn the_readme_is_short_and_begins_with_two_commands() {
    let readme = read("README.md");
    assert!(readme.text.len() <= 10_000, "README.md has {} bytes", readme.text.len());
    let first = readme.blocks().into_iter().next().unwrap();
    assert_eq!(first.text, "$ cargo run -- rehearse migrations-examples/02-rename-column\n$ tests/run\n");
}

/// A page says at once what it is for, and what to type.
#[test]
fn every_page_begins_with_a_command() {
    for page in manual() {
        assert!(page.text.starts_with("# "), "{}", page.path);
        let index = page.path == "docs/README.md" || page.path == "README.md";
        let first = page.blocks().into_iter().next();
        let runs = first.is_some_and(|block| matches!(&*block.language, "console" | "sh" | "rust"));
        assert!(index || runs, "{} does not begin with a command", page.path);
    }
}

#[test]
fn commands_and_their_options_exist() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in manual().into_iter().chain([read("CONTRIBUTING.md"), read("SECURITY.md")]) {
        for (command, place) in commands::of(&page) {
            seen += 1;
            wrong.extend(command.problem().map(|problem| format!("{place}: {problem}")));
        }
        let options = commands::unknown_options(&page);
        wrong.extend(options.into_iter().map(|option| format!("{}: no command has {option}", page.path)));
    }
    assert_eq!(wrong, [""; 0]);
    assert!(seen > 40, "{seen} commands only");
}

/// Output has a block of its own, so that all of it is held.
#[test]
fn console_blocks_hold_commands_only() {
    for page in manual() {
        for block in page.blocks() {
            let mut continued = false;
            for line in block.text.lines().filter(|_| block.language == "console") {
                assert!(continued || line.starts_with("$ "), "{}: {line}", block.place);
                continued = line.ends_with('\\');
            }
        }
    }
}

#[test]
fn configuration_is_read() {
    let editor = jsonschema::validator_for(&cutover::config::schema()).unwrap();
    for page in manual() {
        for block in page.blocks().into_iter().filter(|block| block.language == "toml") {
            cutover::config::parse(block.place.as_str().into(), &block.text).unwrap();
            let document: toml::Value = toml::from_str(&block.text).unwrap();
            // What an editor says of it.
            editor.validate(&serde_json::to_value(document).unwrap()).unwrap();
        }
    }
}

/// The code of `src/cli/exit.rs` on the left, the manual and the commands' own help on the right.
#[test]
fn exit_codes_are_those_of_the_program() {
    let source = std::fs::read_to_string(root().join("src/cli/exit.rs")).unwrap();
    let number = |line: &str| line.trim().strip_suffix(',')?.split_once(" = ")?.1.parse::<u8>().ok();
    let known: BTreeSet<u8> = source.lines().filter_map(number).collect();
    assert!(known.len() >= 9, "{known:?}");
    assert!(commands::helps().len() >= 16, "{:?}", commands::helps().keys());
    let page = read("docs/exit-codes.md");
    let row = |line: &str| line.strip_prefix("| ")?.split(" |").next()?.parse::<u8>().ok();
    let documented: BTreeSet<u8> = page.text.lines().filter_map(row).collect();
    assert_eq!(documented, known);
    for (name, help) in commands::helps() {
        let Some(codes) = help.split("Exit codes: ").nth(1) else { continue };
        for code in codes.split('·') {
            let code: u8 = code.split_whitespace().next().unwrap().parse().unwrap();
            assert!(known.contains(&code), "{name}: {code}");
        }
    }
}

/// The example of the crate's front page, which is a test, and the manual's are one.
#[test]
fn the_librarys_example_is_compiled() {
    let front_page = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let block = read("docs/library.md").blocks().into_iter().find(|block| block.language == "rust").unwrap();
    for line in block.text.lines() {
        assert!(front_page.contains(format!("//! {line}").trim_end()), "not on the front page: {line}");
    }
}

/// The versions of the formats, as the code has them.
#[test]
fn versions_of_formats_are_those_of_the_program() {
    let table = read("docs/formats.md").text;
    for (row, path) in [
        ("plan", "src/plan/format/mod.rs"),
        ("rehearsal", "src/report/rehearsal_json.rs"),
        ("findings", "src/report/lint/json.rs"),
        ("statistics", "src/stats/document.rs"),
        ("workload", "src/workload/sources/saved.rs"),
        ("events", "src/cli/events.rs"),
        ("traffic", "src/report/traffic_json.rs"),
        ("occasion", "src/tell/listener.rs"),
        ("baseline", "src/lint/baseline.rs"),
        ("journal", "src/execute/journal/store.rs"),
    ] {
        let source = std::fs::read_to_string(root().join(path)).unwrap();
        let constant = |line: &&str| line.contains("const FORMAT_VERSION: ") || line.contains("const FORMAT: i32");
        let line = source.lines().find(constant).unwrap_or_else(|| panic!("{path}"));
        let version = line.rsplit(" = ").next().unwrap().trim_matches(['"', ';']);
        let row = table.lines().find(|line| line.starts_with(&format!("| {row} |"))).unwrap();
        assert!(row.contains(&format!("| `{version}` |")), "{path} has {version}: {row}");
    }
}

/// What is copied from a file of the repository is what stands there.
#[test]
fn copies_are_true() {
    let mut copies = 0;
    for page in manual() {
        for block in page.blocks() {
            let Some(path) = block.marked("copy") else { continue };
            let file = std::fs::read_to_string(root().join(path)).unwrap();
            assert!(file.contains(&block.text), "{}: {path} is otherwise", block.place);
            copies += 1;
        }
    }
    assert!(copies > 0);
}

/// A message that people look for is one that the program prints.
#[test]
fn messages_of_the_troubleshooting_page_are_the_programs() {
    let source: String = files_of_the_program().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    // What differs stands in braces there.
    let mut unknown = Vec::new();
    let headings = read("docs/troubleshooting.md");
    let mut messages = 0;
    for heading in headings.text.lines().filter_map(|line| line.strip_prefix("### ")) {
        for message in heading.split('`').skip(1).step_by(2) {
            messages += 1;
            let pieces = message.split('…').map(|piece| piece.trim_matches([' ', '(', ')', ',', ':']));
            unknown.extend(pieces.filter(|piece| !source.contains(piece)).map(|piece| format!("{message}: {piece}")));
        }
    }
    assert_eq!(unknown, [""; 0]);
    assert!(messages > 20, "{messages}");
}

fn files_of_the_program() -> Vec<camino::Utf8PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root().join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().unwrap().map(Result::unwrap) {
            let path = entry.path().to_owned();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// Who follows the lists of files to touch finds these files.
#[test]
fn files_that_contributors_are_sent_to_exist() {
    let is_path = |code: &String| {
        ["src/", "tests/", "docs/", "fixtures/", "migrations-examples/"].iter().any(|folder| code.starts_with(folder))
            && !code.contains(['<', ' '])
    };
    let paths: Vec<String> = read("CONTRIBUTING.md").codes().into_iter().filter(is_path).collect();
    assert!(paths.len() > 30, "{paths:?}");
    let missing: Vec<_> = paths.iter().filter(|path| !root().join(path).exists()).collect();
    assert_eq!(missing, [""; 0]);
}

/// Every example of output is made anew and compared, letter by letter.
#[test]
fn what_is_shown_is_what_is_printed() {
    let mut stale = Vec::new();
    for page in manual() {
        stale.extend(shown::compare(&page));
    }
    assert!(stale.is_empty(), "{}\nset UPDATE_DOCS=1 to write them anew", stale.join("\n"));
}

#[test]
fn output_says_where_it_comes_from() {
    for page in manual() {
        for block in page.blocks().into_iter().filter(|block| block.language == "text") {
            // A recording is another each time.
            let made = block.marked("output").is_some()
                || block.marked("recording").is_some_and(|by| root().join(by).is_file());
            assert!(made, "{}: nothing makes this output", block.place);
        }
    }
}

/// The tables of the manual list what the program has.
#[test]
fn conventions_sources_and_formats_are_all_named() {
    let names = |page: &str| read(page).codes();
    let releases = std::fs::read_to_string("docs/releases.md").unwrap();
    for convention in cutover::migrations::Convention::ALL {
        let row = format!("| `{convention}` | {} |", convention.files());
        assert!(releases.lines().any(|line| line == row), "docs/releases.md lacks\n{row}");
    }
    let execute = std::fs::read_to_string("docs/execute.md").unwrap();
    for row in cutover::migrations::Convention::ALL.into_iter().filter_map(|convention| convention.at_start()) {
        assert!(execute.lines().any(|line| line == row), "docs/execute.md lacks\n{row}");
    }
    let workloads = std::fs::read_to_string("docs/workloads.md").unwrap();
    for source in cutover::workload::SOURCES {
        let row = format!("| `{}:` | {} |", source.word, source.reads);
        assert!(workloads.lines().any(|line| line == row), "docs/workloads.md lacks\n{row}");
    }
    let traffic = names("docs/traffic.md");
    for kind in cutover::traffic::KINDS {
        let ways = [format!("kind = \"{}\"", kind.name), format!("--traffic {}", kind.name)];
        let row = |code: &&String| ways.iter().any(|way| code.contains(way.as_str()));
        assert!(traffic.iter().any(|code| row(&code)), "docs/traffic.md lacks {}", kind.name);
    }
    let formats = names("docs/formats.md");
    for (command, option) in [("schema", "formats"), ("lint", "format")] {
        for value in commands::values(command) {
            let said = formats.iter().any(|code| code.split_whitespace().any(|word| word == value));
            assert!(said, "docs/formats.md lacks {value} ({option} of {command})");
        }
    }
}

/// The tests that a table names are there.
#[test]
fn tests_that_the_table_of_an_operators_day_names_exist() {
    let folder = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/execute");
    let table = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut named = 0;
    for word in table.split('`').skip(1).step_by(2) {
        let Some((file, test)) = word.split_once("::") else { continue };
        let Ok(text) = std::fs::read_to_string(folder.join(file).with_extension("rs")) else { continue };
        assert!(text.contains(&format!("fn {test}(")), "{word}");
        named += 1;
    }
    assert!(named > 25, "only {named}");
}
