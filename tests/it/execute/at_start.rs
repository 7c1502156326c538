//! Applications that run their migrations when they start, between the phases of a release: what is said of them is what happens.

use std::io::{BufRead as _, BufReader};

use super::replan::Team;
use super::support::async_client;
use crate::support::cutover;

/// Complete before the cutover; in both phases; after it.
const FILES: &[(&str, &str)] = &[
    ("V2__nick.sql", "ALTER TABLE users ADD COLUMN nick text;\n"),
    ("V3__age.sql", "ALTER TABLE users ADD COLUMN age int;\nALTER TABLE users DROP COLUMN email;\n"),
    ("V4__name.sql", "ALTER TABLE users DROP COLUMN name;\n"),
];

/// What an application does at its start that has these migrations of the folder.
fn starts(team: &Team, count: usize, abort_missing: bool) -> Result<usize, String> {
    let mut all = refinery::load_sql_migrations(team.folder()).unwrap();
    all.sort();
    let runner = refinery::Runner::new(&all[..count]).set_abort_missing(abort_missing);
    let ran = async_client(&team.shop, async move |mut client| runner.run_async(&mut *client).await);
    ran.map(|report| report.applied_migrations().len()).map_err(|error| format!("{error:?}"))
}

#[test]
fn refinery_does_what_is_said_of_it() {
    let team = Team::new();
    let said = |text: &str| {
        assert!(text.contains("blue stops if it starts again once the history has 2, a version that its files lack; `Runner::set_abort_missing(false)` lets it start (refinery)"), "{text}");
        assert!(text.contains("green would fail at 3, of which some statements have run by then: leave `Runner::run` out of its start until the release is done (refinery)"), "{text}");
    };
    said(&team.writes(FILES).plan(&[]).ends(0).out);
    said(&team.begins().ends(0).err);
    let blue = starts(&team, 1, true).unwrap_err();
    assert!(blue.contains("MissingVersion") && blue.contains("nick"), "{blue}");
    assert_eq!(starts(&team, 1, false), Ok(0));
    let green = starts(&team, 4, true).unwrap_err();
    assert!(green.contains("already exists"), "{green}");
    team.shop.run(&["promote", "--yes"]).ends(0).says("is complete");
    assert_eq!(starts(&team, 4, true), Ok(0));
}

#[test]
fn green_is_kept_from_what_belongs_after_the_cutover() {
    let team = Team::new();
    let files = &[FILES[0], ("V3__name.sql", FILES[2].1)];
    team.writes(files).begins().ends(0).says("green would run 3, which belongs after the cutover");
    assert_eq!(starts(&team, 3, true), Ok(1), "nothing keeps refinery from it");
    team.shop
        .run(&["promote", "--yes"])
        .ends(6)
        .says("migration 3 is pending in the plan, and the refinery history has it already");
}

#[test]
fn nothing_is_said_where_nothing_is_left_for_them() {
    let team = Team::new();
    let planned = team.writes(&[("V2__name.sql", FILES[2].1)]).plan(&[]).ends(0);
    assert!(!planned.out.contains("blue stops") && planned.out.contains("green would run 2"), "{}", planned.out);
    let planned = team.writes(&FILES[..1]).plan(&[]).ends(0);
    assert!(planned.out.contains("blue stops") && !planned.out.contains("green would"), "{}", planned.out);
}

/// `tests/tools` tries this with the tools themselves.
#[test]
fn a_tool_whose_history_is_not_written_would_run_all_again() {
    let plan = |convention: &str, from: &str| {
        let folder = format!("fixtures/conventions/{convention}");
        let output = cutover(env!("CARGO_MANIFEST_DIR")).args(["plan", &folder, "--from", from]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let said = plan("sqitch", "a");
    assert!(said.contains("green would run b a second time, for its history does not get it: leave `sqitch deploy` out of its start until the release is done and `sqitch deploy --log-only` has recorded it (Sqitch)"), "{said}");
    assert!(!said.contains("blue stops"), "{said}");
    // A tool whose history is written has nothing left.
    let said = plan("dbmate", "1");
    assert!(said.contains("Before cutover") && !said.contains("green would"), "{said}");
}

#[test]
fn whoever_waits_says_that_green_has_migrated() {
    let team = Team::new();
    team.writes(&[FILES[0], ("V3__name.sql", FILES[2].1)]).plan(&[]).ends(0);
    let mut waits = team.shop.spawn(&["execute", &team.file(), "--yes", "--wait"]);
    let mut lines = BufReader::new(waits.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("green would run 3")));
    assert_eq!(starts(&team, 3, true), Ok(1));
    assert!(lines.any(|line| line.contains("the refinery history has it already; the release cannot go on like this")));
    waits.kill().unwrap();
    waits.wait().unwrap();
}
