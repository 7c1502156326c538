//! Journals: those that older versions left, and that a release needs nothing but its own.

use super::support::Shop;

/// A database as an older version of the tool left it.
fn left_by(dump: &str) -> Shop {
    let shop = Shop::empty();
    shop.sql(dump);
    shop
}

const FINISHED: &str = include_str!("../../../fixtures/journal/1/finished.sql");
const WAITING: &str = include_str!("../../../fixtures/journal/1/waiting.sql");

#[test]
fn a_journal_of_format_1_is_read() {
    let shop = left_by(FINISHED);
    shop.run(&["status"]).ends(0).says("Stage      done").says("passed with step");
    shop.run(&["log"]).ends(0).says("point_of_no_return").says("finished");
    shop.run(&["log", "--releases"]).ends(0).says("postgres on ci");
    assert_eq!(shop.rows("SELECT version::text FROM cutover.schema_history"), ["1"], "looking changes nothing");
    shop.run(&["resume", "--yes"]).ends(0).says("complete already");
    assert_eq!(shop.rows("SELECT version::text FROM cutover.schema_history ORDER BY 1"), ["1", "2", "3"]);
    shop.run(&["status"]).ends(0).says("Stage      done");
}

#[test]
fn a_release_begun_by_an_older_version_is_finished_by_it() {
    let shop = left_by(WAITING);
    let before = shop.journal();
    shop.run(&["status"]).ends(0).says("awaiting approval");
    for command in ["promote", "resume", "rollback"] {
        shop.run(&[command, "--yes"]).ends(6).says("was begun by cutover 0.1.0").says("finish it with cutover 0.1.0");
    }
    let other = Shop::new();
    let plan = other.plan();
    shop.execute(&plan, &[]).ends(6).says("finish it with cutover 0.1.0");
    assert_eq!(shop.journal(), before, "nothing was written");
    // With the tables of a later version, the older one would not work.
    assert_eq!(shop.rows("SELECT version::text FROM cutover.schema_history"), ["1"], "nothing was upgraded");
}

/// Nothing but the database is needed to carry on: not the plan, not the files, not the folder.
#[test]
fn a_release_goes_on_from_anywhere() {
    for command in ["promote", "resume"] {
        let shop = Shop::new();
        let path = shop.save(&shop.plan());
        shop.run(&["execute", &path, "--yes"]).ends(0).says("waits for you");
        std::fs::remove_file(&path).unwrap();
        for file in std::fs::read_dir(shop.folder.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        if command == "resume" {
            shop.sql(
                "INSERT INTO cutover.journal (release_id, seq, epoch, event, detail)
                 SELECT release_id, max(seq) + 1, 1, 'promoted',
                     '{\"about\": \"traffic\", \"event\": \"promoted\", \"by\": {\"host\": \"h\", \"pid\": 1, \"role\": \"r\"}}'
                 FROM cutover.journal GROUP BY release_id",
            );
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let output = shop.cutover(&[command, "--yes"]).current_dir(elsewhere.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8_lossy(&output.stderr).matches("the release goes on with the text").count();
        assert_eq!(told, 3, "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(shop.rows("SELECT count(*)::text FROM refinery_schema_history"), ["4"]);
    }
}

#[test]
fn files_that_changed_are_told_and_the_plans_text_counts() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes"]).ends(0);
    let file = shop.folder.path().join("V3__nick.sql");
    let was = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "-- edited\n").unwrap();
    shop.run(&["promote", "--yes"]).ends(0).says("V3__nick.sql was changed").says("Finished");
    std::fs::write(&file, was).unwrap();
    // The history has the checksum of what ran.
    let migrations = refinery::load_sql_migrations(shop.folder.path()).unwrap();
    let runner = refinery::Runner::new(&migrations);
    assert!(runner.run(&mut shop.client()).unwrap().applied_migrations().is_empty());
}
