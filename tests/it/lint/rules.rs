//! Every rule's page is true: its example is found, and nothing else that a team would have to act on; its `instead` is not.

use camino::Utf8PathBuf;
use cutover::diagnostic::Diagnostic;
use cutover::lint::{Case, RULES, Rule};
use cutover::migrations::{Convention, Folder};
use cutover::plan::{Request, plan};
use cutover::workload::Workload;

/// What is found in the release of a page.
fn findings(case: &Case) -> Vec<Diagnostic> {
    let files = [("V1__applied.sql", case.applied), ("V2__pending.sql", case.pending)];
    let files = files.map(|(path, text)| (Utf8PathBuf::from(path), text.to_owned()));
    let folder = Folder::from_files(Convention::Refinery, files).unwrap();
    let pending = folder.pending_after(Some("1")).unwrap();
    let workload = |queries: &str| {
        let (workload, unread) = Workload::from_texts([("queries.sql", queries.to_owned())]);
        assert!(unread.is_empty(), "{unread:?}");
        (!queries.is_empty()).then_some(workload)
    };
    let (blue, green) = (workload(case.blue), workload(case.green));
    plan(Request { blue: blue.as_ref(), green: green.as_ref(), ..Request::new(&folder, &pending) }).diagnostics
}

fn check(rule: &Rule) {
    let names = |case: &Case| findings(case).iter().map(|d| d.code.name).collect::<Vec<_>>();
    if let Some(example) = &rule.docs.example {
        // A conflict of order is always the trouble of one of the two versions, too.
        let own = |name: &&str| rule.code.name != "order-conflict" || *name != "green-breaks";
        let found: Vec<_> = names(example).into_iter().filter(own).collect();
        assert_eq!(found, [rule.code.name], "the example of {}", rule.code.name);
    }
    if let Some(instead) = &rule.docs.instead {
        assert_eq!(names(instead), [""; 0], "what to write instead, of {}", rule.code.name);
    }
}

#[test]
fn examples_are_found_and_what_to_write_instead_is_not() {
    let wrong: Vec<_> = RULES
        .iter()
        .filter_map(|rule| std::panic::catch_unwind(|| check(rule)).is_err().then_some(rule.code.name))
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_rule_that_looks_at_migrations_has_an_example() {
    // Made of queries, of a proof that fails, of a release that was begun, of a source tree, of statistics, of git's history, of a baseline.
    let without =
        ["CO007", "CO012", "CO014", "CO104", "CO106", "CO107", "CO309", "CO414", "CO502", "CO503", "CO504", "CO505"];
    let found: Vec<_> = RULES.iter().filter(|r| r.docs.example.is_none()).map(|r| r.code.id).collect();
    assert_eq!(found, without);
    assert!(RULES.iter().all(|rule| rule.docs.example.is_some() == rule.docs.instead.is_some()));
}

#[test]
fn names_read_well_after_allow() {
    for rule in RULES {
        let name = rule.code.name;
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
        assert!(!name.starts_with("no-") && !name.starts_with("require-") && !name.starts_with("ban-"), "{name}");
        for text in [rule.docs.what, rule.docs.why] {
            assert!(text.ends_with('.'), "{name}: {text}");
        }
    }
}
