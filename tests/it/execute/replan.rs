//! A release whose migrations were corrected after some of them had run.

use super::support::{BASE, Ran, Shop, async_client, cluster};

/// A folder of refinery's, whose first migration is applied.
pub(crate) struct Team {
    pub(crate) shop: Shop,
    folder: tempfile::TempDir,
}

impl Team {
    pub(crate) fn new() -> Self {
        Self::on(BASE)
    }

    fn on(base: &str) -> Self {
        let shop = Shop::empty();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("V1__users.sql"), base).unwrap();
        let all = refinery::load_sql_migrations(folder.path()).unwrap();
        async_client(&shop, async |mut client| refinery::Runner::new(&all).run_async(&mut *client).await.unwrap());
        Self { shop, folder }
    }

    /// The pending migrations as they are from now on.
    pub(crate) fn writes(&self, files: &[(&str, &str)]) -> &Self {
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if !path.ends_with("V1__users.sql") {
                std::fs::remove_file(path).unwrap();
            }
        }
        for (name, text) in files {
            std::fs::write(self.folder.path().join(name), text).unwrap();
        }
        self
    }

    pub(crate) fn plan(&self, more: &[&str]) -> Ran {
        let database = format!(
            "postgresql:///{}?host={}&port={}&user=postgres",
            self.shop.database,
            cluster().sockets.display(),
            cluster().port
        );
        let (folder, file) = (self.folder.path().to_str().unwrap(), self.file());
        self.shop.run(&[&["plan", folder, "--database", &database, "-o", &file], more].concat())
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn file(&self) -> String {
        self.folder.path().join("release.plan").to_str().unwrap().to_owned()
    }

    pub(crate) fn begins(&self) -> Ran {
        self.plan(&[]).ends(0);
        self.shop.run(&["execute", &self.file(), "--yes"])
    }

    fn goes_on(&self) -> Ran {
        self.shop.run(&["resume", "--replan", &self.file(), "--yes"])
    }

    /// The team's own tool finds nothing to do, and nothing wrong.
    fn is_complete(&self) {
        let all = refinery::load_sql_migrations(self.folder.path()).unwrap();
        let report = async_client(&self.shop, async |mut client| {
            refinery::Runner::new(&all).run_async(&mut *client).await.unwrap()
        });
        assert!(report.applied_migrations().is_empty());
    }
}

pub(crate) const WRONG: &[(&str, &str)] = &[
    ("V2__age.sql", "ALTER TABLE users ADD COLUMN age int, DROP COLUMN email;\nUPDATE users SET age = name::int;\n"),
    ("V3__nick.sql", "ALTER TABLE users ADD COLUMN nick text;\n"),
];

pub(crate) const RIGHT: &[(&str, &str)] = &[
    (
        "V2__age.sql",
        "ALTER TABLE users ADD COLUMN age int, -- years\n DROP COLUMN email;\nUPDATE users SET age = substr(name, 2)::int;\n",
    ),
    ("V3__nick.sql", "ALTER TABLE users ADD COLUMN nick varchar(9);\n"),
];

#[test]
fn a_corrected_statement_runs_and_what_has_run_does_not() {
    let team = Team::new();
    team.writes(WRONG).begins().ends(4).says("invalid input syntax for type integer").says("--replan");
    let still_wrong = ("V2__age.sql", WRONG[0].1.replace("::int", "::numeric"));
    team.writes(&[(still_wrong.0, &still_wrong.1), WRONG[1]]).plan(&["--replan"]).ends(0);
    team.goes_on().ends(4).says("+ UPDATE users SET age = name::numeric");
    team.writes(RIGHT);
    team.plan(&[]).ends(6).says("1 of its 4 steps have run").says("--replan");
    team.plan(&["--replan"]).ends(0).says("1 of 4 steps ran before").says("ran before");
    team.shop.run(&["execute", &team.file(), "--yes"]).ends(2).says("resume --replan");
    team.goes_on().ends(0).says("waits for you");
    assert_eq!(team.shop.rows("SELECT count(*)::text FROM users WHERE age = id"), ["50"]);
    team.shop.run(&["promote", "--yes"]).ends(0).says("is complete");
    let columns = "SELECT attname::text FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    assert_eq!(team.shop.rows(columns), ["id", "name", "age", "nick"]);
    team.is_complete();
    let runs = team.shop.rows("SELECT concat_ws(' ', event, step) FROM cutover.journal WHERE event IN ('step_succeeded', 'replanned', 'step_failed') ORDER BY seq");
    assert_eq!(
        runs,
        [
            "step_succeeded 1",
            "step_failed 2",
            "replanned",
            "step_failed 2",
            "replanned",
            "step_succeeded 2",
            "step_succeeded 3",
            "step_succeeded 4"
        ]
    );
    assert_eq!(team.shop.rows("SELECT count(*)::text FROM cutover.replaced_plan"), ["2"]);
    // Each record names the step of the plan of its time.
    let log = team.shop.run(&["log"]).ends(0).out;
    let mut of_3 = log.lines().filter(|line| line.contains("step_succeeded") && line.contains("\"step\":3"));
    assert!(of_3.next_back().unwrap().ends_with("users.nick, ADD COLUMN character varying(9)"), "{log}");
}

/// What of a correction is refused, and why.
fn refused(files: &[(&str, &str)], says: &str) {
    let team = Team::new();
    team.writes(WRONG).begins().ends(4);
    team.writes(files).plan(&["--replan"]).ends(1).says("CO107").says(says);
    team.goes_on().ends(1);
    // What ran is still there, and so is the way on by the plan that the release has.
    team.shop.sql("UPDATE users SET name = id");
    team.shop.run(&["resume", "--yes"]).ends(0).says("waits for you");
}

#[test]
fn a_statement_that_has_run_stays_in_its_file() {
    let nick = WRONG[1];
    refused(
        &[("V2__age.sql", "ALTER TABLE users ADD COLUMN age bigint;\n"), nick],
        "ALTER TABLE users ADD COLUMN age int",
    );
    refused(&[nick], "migration 2 is gone");
}

#[test]
fn nothing_new_stands_before_what_has_run_and_touches_the_same() {
    let early = "ALTER TABLE users RENAME TO people;\nALTER TABLE people ADD COLUMN age int, DROP COLUMN email;\n";
    refused(&[("V2__age.sql", early)], "has run");
    let early = "ALTER TABLE users ADD COLUMN first int;\nALTER TABLE users ADD COLUMN age int, DROP COLUMN email;\n";
    refused(&[("V2__age.sql", early)], "users");
}

#[test]
fn a_migration_in_the_history_of_its_tool_is_not_changed() {
    let team = Team::new();
    let (two, three) = ("ALTER TABLE users ADD COLUMN age int;\n", "UPDATE users SET age = name::int;\n");
    team.writes(&[("V2__age.sql", two), ("V3__fill.sql", three)]).begins().ends(4);
    let three = "UPDATE users SET age = id;\n";
    let more = format!("{two}CREATE TABLE log (id int);\n");
    team.writes(&[("V2__age.sql", &more), ("V3__fill.sql", three)])
        .plan(&["--replan"])
        .ends(1)
        .says("migration 2 is complete");
    let comment = format!("-- years\n{two}");
    team.writes(&[("V2__age.sql", &comment), ("V3__fill.sql", three)])
        .plan(&["--replan"])
        .ends(1)
        .says("migration 2 is complete");
    let log = ("V4__log.sql", "CREATE TABLE log (id int);\n");
    team.writes(&[("V2__age.sql", two), ("V3__fill.sql", three), log]).plan(&["--replan"]).ends(0);
    team.goes_on().ends(0);
    team.shop.run(&["promote", "--yes"]).ends(0).says("is complete");
    team.is_complete();
}

#[test]
fn a_plan_is_for_what_had_run_when_it_was_made() {
    let team = Team::new();
    team.writes(WRONG).begins().ends(4);
    let right = "ALTER TABLE users ADD COLUMN age int, DROP COLUMN email;\nUPDATE users SET age = id;\n";
    team.writes(&[("V2__age.sql", right), WRONG[1]]).plan(&["--replan"]).ends(0);
    team.shop.sql("UPDATE users SET name = id");
    team.shop.run(&["resume", "--yes"]).ends(0);
    let before = team.shop.journal();
    team.goes_on().ends(6).says("1 steps had run; now 3 have");
    assert_eq!(team.shop.journal(), before, "nothing is written");
    // Nor one for another world.
    team.plan(&["--replan"]).ends(1).says("UPDATE users SET age = name::int");
    team.writes(WRONG).plan(&["--replan"]).ends(0);
    team.shop.sql("ALTER TABLE users ADD COLUMN strange int");
    team.goes_on().ends(6).says("users is not as this release left it");
    assert_eq!(team.shop.journal(), before, "nothing is written");
}

#[test]
fn before_the_cutover_is_over_once_green_may_have_traffic() {
    let team = Team::new();
    let files = [("V2__age.sql", "ALTER TABLE users ADD COLUMN age int, DROP COLUMN email;\n")];
    team.writes(&files).begins().ends(0).says("waits for you");
    let more = ("V3__nick.sql", "-- cutover: before green reads it\nALTER TABLE users ADD COLUMN nick text;\n");
    team.writes(&[files[0], more]).plan(&["--replan"]).ends(1).says("CO107").says("rollback");
    team.shop.run(&["rollback", "--yes"]).ends(0);
    team.plan(&["--replan"]).ends(0);
    team.goes_on().ends(0).says("waits for you");
    assert_eq!(
        team.shop.rows("SELECT attname::text FROM pg_attribute WHERE attname IN ('nick', 'email') ORDER BY 1"),
        ["email", "nick"]
    );
    team.shop.run(&["promote", "--yes"]).ends(0).says("is complete");
    team.is_complete();
}

#[test]
fn what_was_taken_back_by_hand_is_planned_from_the_beginning() {
    let team = Team::new();
    team.writes(WRONG).begins().ends(4);
    team.shop.run(&["rollback", "--yes"]).ends(0);
    team.plan(&[]).ends(6);
    team.shop.sql("ALTER TABLE users DROP COLUMN age");
    team.writes(&[("V2__age.sql", "ALTER TABLE users ADD COLUMN age bigint;\n")])
        .begins()
        .ends(0)
        .says("waits for you");
}

#[test]
fn a_backfill_goes_on_where_it_stopped() {
    let team = Team::on(&format!("{BASE}ALTER TABLE users ADD COLUMN n int NOT NULL DEFAULT 0;\n"));
    team.shop.sql("UPDATE users SET name = '7' WHERE id <= 49");
    let fill = "-- cutover: backfill key=id rows=10\nUPDATE users SET n = n + name::int;\n";
    team.writes(&[("V2__fill.sql", fill)]).begins().ends(4).says("invalid input syntax");
    let sum = "SELECT sum(n)::text FROM users";
    assert_eq!(team.shop.rows(sum), ["210"], "10 and 20 rows are done");
    // Another statement would leave some rows to the one and some to the other.
    team.writes(&[("V2__fill.sql", &fill.replace("n + name::int", "n + 7"))]).plan(&["--replan"]).ends(0);
    team.goes_on().ends(6).says("step 1 has changed some of its rows").says("--abandon 1");
    team.shop.sql("UPDATE users SET name = '7' WHERE id = 50");
    let more = format!("{fill}CREATE TABLE log (id int);\n");
    team.writes(&[("V2__fill.sql", &more)]).plan(&["--replan"]).ends(0);
    team.goes_on().ends(0);
    assert_eq!(team.shop.rows(sum), ["350"], "each row once");
}

#[test]
fn a_kill_in_the_middle_leaves_one_plan_or_the_other() {
    for boundary in 1.. {
        let team = Team::new();
        team.writes(WRONG).begins().ends(4);
        let right = "ALTER TABLE users ADD COLUMN age int, DROP COLUMN email;\nUPDATE users SET age = id;\n";
        team.writes(&[("V2__age.sql", right), WRONG[1]]).plan(&["--replan"]).ends(0);
        let fault = format!("kill-at={boundary}");
        let killed = team.shop.run(&["resume", "--replan", &team.file(), "--yes", "--fault", &fault]);
        let survived = killed.code == Some(0);
        team.goes_on().ends(0).says("waits for you");
        assert_eq!(team.shop.rows("SELECT count(*)::text FROM users WHERE age = id"), ["50"], "{boundary}");
        team.shop.run(&["promote", "--yes"]).ends(0).says("is complete");
        team.is_complete();
        if survived {
            assert!(boundary > 4, "there were boundaries");
            return;
        }
    }
}

#[test]
fn a_step_is_left_out_with_a_reason() {
    let team = Team::new();
    team.writes(WRONG).begins().ends(4);
    team.shop.run(&["resume", "--yes", "--skip", "2"]).ends(2).says("--reason");
    team.shop.run(&["resume", "--yes", "--skip", "3", "--reason", "no"]).ends(2).says("step 2 is");
    team.shop
        .run(&["resume", "--yes", "--skip", "2", "--reason", "filled by hand"])
        .ends(0)
        .says("step 2 is left out")
        .says("filled by hand");
    team.shop.run(&["promote", "--yes"]).ends(0).says("is complete");
    assert_eq!(
        team.shop.rows("SELECT detail->>'reason' FROM cutover.journal WHERE event = 'step_skipped'"),
        ["filled by hand"]
    );
    assert_eq!(team.shop.rows("SELECT count(age)::text FROM users"), ["0"]);
    team.is_complete();
}

/// A team whose table `t` has a row with `v = 10` in each of some schemas.
fn with_numbers(schemas: &[&str]) -> Team {
    let made = schemas.iter().map(|schema| {
        format!("CREATE SCHEMA IF NOT EXISTS {schema};\nCREATE TABLE {schema}.t (id int PRIMARY KEY, v int NOT NULL, w int);\nINSERT INTO {schema}.t VALUES (1, 10);\n")
    });
    Team::on(&made.collect::<String>())
}

// What is constant and fails is refused by the plan.
const FAILS: &str = "ALTER TABLE public.t ADD COLUMN z int DEFAULT 1 / (now() < '1970-01-01')::int;\n";
const WORKS: &str = "ALTER TABLE public.t ADD COLUMN z int DEFAULT 7;\n";
const DOUBLE: &str = "-- cutover: before now\nUPDATE t SET v = v * 2;\n";

impl Team {
    fn values(&self, schema: &str) -> Vec<String> {
        self.shop.rows(&format!("SELECT v::text FROM {schema}.t ORDER BY id"))
    }
}

#[test]
fn the_same_words_under_other_settings_are_another_statement() {
    let team = with_numbers(&["public", "a", "b", "c"]);
    let of = |schema: &str| format!("SET search_path = {schema};\n{DOUBLE}");
    let three = ("V3__z.sql", FAILS);
    team.writes(&[("V2__v.sql", &(of("a") + &of("b"))), three]).begins().ends(4);
    // V2 is complete: what is added to it is refused, and another setting is no cosmetic change.
    team.writes(&[("V2__v.sql", &(of("a") + &of("c") + &of("b"))), three]).plan(&["--replan"]).ends(1).says("CO107");
    let team = with_numbers(&["public", "a", "b", "c"]);
    team.writes(&[("V2__v.sql", &(of("a") + &of("b") + FAILS))]).begins().ends(4);
    team.writes(&[("V2__v.sql", &(of("a") + &of("c") + &of("b") + WORKS))]).plan(&["--replan"]).ends(0);
    team.goes_on().ends(0);
    assert_eq!([team.values("a"), team.values("b"), team.values("c")], [["20"], ["20"], ["20"]]);
    let team = with_numbers(&["public", "a", "b"]);
    team.writes(&[("V2__v.sql", &(of("a") + FAILS))]).begins().ends(4);
    team.writes(&[("V2__v.sql", &(of("b") + WORKS))]).plan(&["--replan"]).ends(1).says("is not in the file any more");
}

#[test]
fn what_was_left_out_stays_so() {
    let team = with_numbers(&["public"]);
    let one = "-- cutover: before now\nUPDATE t SET v = v / (v - 10);\n";
    team.writes(&[("V2__v.sql", one), ("V3__z.sql", FAILS)]).begins().ends(4);
    team.shop.sql("UPDATE t SET v = 20");
    team.shop.run(&["resume", "--yes", "--skip", "1", "--reason", "done by hand"]).ends(4);
    team.shop.run(&["status"]).ends(0).says("1 of them left out").says("left step 1 out: done by hand");
    team.writes(&[("V2__v.sql", one), ("V3__z.sql", WORKS)]).plan(&["--replan"]).ends(0);
    team.goes_on().ends(0);
    assert_eq!(team.values("public"), ["20"]);
    team.shop.run(&["promote", "--yes"]).ends(0).says("is complete");
    team.is_complete();
}

#[test]
fn rows_that_blue_writes_after_a_rollback_are_filled_once_more() {
    let team = with_numbers(&["public"]);
    let fill = "ALTER TABLE t ADD COLUMN x int;\nUPDATE t SET x = v WHERE x IS NULL;\n-- cutover: after later\nALTER TABLE t ADD CONSTRAINT c CHECK (v > 100);\n";
    team.writes(&[("V2__x.sql", fill)]).begins().ends(0);
    team.shop.run(&["promote", "--yes"]).ends(4).says("violated");
    team.shop.run(&["rollback", "--yes"]).ends(0);
    team.shop.sql("INSERT INTO t VALUES (2, 200); UPDATE t SET v = 300 WHERE id = 1");
    team.shop.run(&["resume", "--yes"]).ends(0);
    team.shop.run(&["promote", "--yes"]).ends(0).says("is complete");
    assert_eq!(team.shop.rows("SELECT coalesce(x::text, 'none') FROM t ORDER BY id"), ["10", "200"]);
}

#[test]
fn no_plan_from_the_beginning_runs_rows_twice_after_a_rollback() {
    let team = with_numbers(&["public"]);
    let two = format!("{DOUBLE}ALTER TABLE t DROP COLUMN w;\n");
    team.writes(&[("V2__v.sql", &two)]).begins().ends(0);
    team.shop.run(&["rollback", "--yes"]).ends(0);
    team.shop.sql("CREATE INDEX ON t (v)");
    team.plan(&[]).ends(6).says("--replan");
    team.writes(&[("V2__v.sql", &format!("-- again\n{two}"))]);
    let (folder, file) = (team.folder().to_str().unwrap(), team.file());
    team.shop.run(&["plan", folder, "--from", "1", "-o", &file]).ends(0);
    team.shop.run(&["check", &file]).ends(2).says("would run them again");
    team.shop.run(&["execute", &file, "--yes"]).ends(2).says("would run them again").says("--replan");
    assert_eq!(team.values("public"), ["20"]);
}

#[test]
fn what_a_team_gave_up_is_in_nobodys_way() {
    let team = with_numbers(&["public"]);
    team.writes(&[("V2__v.sql", DOUBLE), ("V3__z.sql", FAILS)]).begins().ends(4);
    team.shop.run(&["rollback", "--yes"]).ends(0);
    team.shop.sql("DELETE FROM refinery_schema_history WHERE version = 2");
    team.writes(&[("V4__half.sql", "-- cutover: before now\nUPDATE t SET v = v / 2;\n")]).begins().ends(0);
    assert_eq!(team.values("public"), ["10"]);
}

#[test]
fn what_the_tool_wrote_is_not_forgotten() {
    let team = with_numbers(&["public"]);
    let drop = "ALTER TABLE t DROP COLUMN v;\n";
    team.writes(&[("V2__v.sql", drop), ("V3__z.sql", FAILS)]).begins().ends(4).says("DROP NOT NULL");
    team.writes(&[("V2__v.sql", "SELECT 1;\n"), ("V3__z.sql", WORKS)])
        .plan(&["--replan"])
        .ends(1)
        .says("has a right moment");
    team.writes(&[("V2__v.sql", drop), ("V3__z.sql", WORKS)]).plan(&["--replan"]).ends(0).says("ran before");
    team.shop.run(&["check", &team.file()]).ends(0).says("can go on");
    team.goes_on().ends(0);
    team.shop.run(&["promote", "--yes"]).ends(0).says("is complete");
    team.is_complete();
}

#[test]
fn the_history_has_what_is_complete_once_the_rest_is_gone() {
    let team = with_numbers(&["public"]);
    let one = "ALTER TABLE t ADD COLUMN x int;\n";
    let later = ("V3__later.sql", "ALTER TABLE t ADD COLUMN y int;\n");
    team.writes(&[("V2__x.sql", &format!("{one}{FAILS}")), later]).begins().ends(4);
    team.writes(&[("V2__x.sql", one), later]).plan(&["--replan"]).ends(0);
    team.goes_on().ends(0);
    assert_eq!(team.shop.rows("SELECT version::text FROM refinery_schema_history ORDER BY version"), ["1", "2", "3"]);
    team.is_complete();
}

#[test]
fn a_backfill_may_be_abandoned_and_what_was_passed_stays_passed() {
    let rows = "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL);\nINSERT INTO t SELECT i, i FROM generate_series(1, 50) i;\n";
    let fill = |value: &str| {
        format!("-- cutover: after later\n-- cutover: backfill key=id rows=10\nUPDATE t SET v = {value};\n")
    };
    let more = |name: &str| format!("-- cutover: after later\nCREATE TABLE {name} (id int);\n");
    let team = Team::on(rows);
    let write = |value: &str, name: &str| {
        let text = fill(value) + &more(name);
        team.writes(&[("V2__v.sql", &text)]);
    };
    write("100 / (v - 45)", "one");
    team.plan(&[]).ends(0);
    team.shop.run(&["execute", &team.file(), "--yes"]).ends(0);
    team.shop.run(&["promote", "--yes"]).ends(4).says("division by zero");
    team.shop.run(&["rollback", "--yes"]).ends(4).says("blue cannot work");
    write("100 / (v - 45)", "two");
    team.plan(&["--replan"]).ends(0);
    team.goes_on().ends(4);
    team.shop.run(&["rollback", "--yes"]).ends(4).says("blue cannot work");
    write("100 / nullif(v - 45, 0)", "two");
    team.plan(&["--replan"]).ends(0);
    team.goes_on().ends(6).says("--abandon 1");
    team.shop.sql("ALTER TABLE t ALTER COLUMN v DROP NOT NULL");
    team.shop
        .run(&["resume", "--replan", &team.file(), "--abandon", "1", "--yes"])
        .ends(6)
        .says("not as this release left it");
    team.shop.sql("ALTER TABLE t ALTER COLUMN v SET NOT NULL");
    write("v + 1", "two");
    team.plan(&["--replan"]).ends(0);
    team.shop.run(&["resume", "--replan", &team.file(), "--abandon", "1", "--yes"]).ends(0).says("is complete");
}

/// The plan's order is that of the phases, and no other one that anything was run in.
#[test]
fn what_ran_after_the_cutover_may_stand_first() {
    let team = with_numbers(&["public"]);
    let late = |value: &str| format!("-- cutover: after later\nALTER TABLE t ADD COLUMN z int DEFAULT {value};\n");
    let ran = "ALTER TABLE t DROP COLUMN w;\nALTER TABLE t ADD COLUMN a int;\n";
    team.writes(&[("V2__x.sql", &format!("{ran}{}", late("1 / (now() < '1970-01-01')::int")))]).begins().ends(0);
    team.shop.run(&["promote", "--yes"]).ends(4).says("division by zero");
    team.writes(&[("V2__x.sql", &format!("{ran}{}", late("7")))]).plan(&["--replan"]).ends(0);
    team.goes_on().ends(0).says("is complete");
    team.is_complete();
}

#[test]
fn case_does_not_matter_and_the_order_of_what_has_run_does() {
    let team = with_numbers(&["public"]);
    let two = |statement: &str| format!("{statement}{FAILS}");
    let run = "ALTER TABLE t ADD COLUMN a int, ADD COLUMN b int;\n";
    team.writes(&[("V2__x.sql", &two(run))]).begins().ends(4);
    let other = "ALTER TABLE t ADD COLUMN b int, ADD COLUMN a int;\n";
    team.writes(&[("V2__x.sql", &(other.to_owned() + WORKS))])
        .plan(&["--replan"])
        .ends(1)
        .says("order in which it ran");
    team.writes(&[("V2__x.sql", &(run.to_lowercase() + WORKS))]).plan(&["--replan"]).ends(0);
    team.goes_on().ends(0);
}

/// Flyway runs its `R__` files whenever they change.
#[test]
fn a_repeatable_migration_that_was_corrected_runs_again() {
    let shop = Shop::empty();
    shop.sql(
        "CREATE TABLE t (id int, v int);
        CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
            type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int, installed_by varchar(100) NOT NULL,
            installed_on timestamp NOT NULL DEFAULT now(), execution_time int NOT NULL, success boolean NOT NULL);
        INSERT INTO flyway_schema_history VALUES (1, '1', 'base', 'SQL', 'V1__base.sql', 0, 'x', now(), 1, true)",
    );
    let team = Team { shop, folder: tempfile::tempdir().unwrap() };
    let base = ("V1__base.sql", "CREATE TABLE t (id int, v int);\n");
    let view = |columns: &str| format!("CREATE OR REPLACE VIEW shown AS SELECT {columns} FROM t;\n");
    let (one, two) = (view("id"), view("id, v"));
    let flyway = ["--convention", "flyway"];
    team.writes(&[base, ("R__a_shown.sql", &one), ("R__z.sql", FAILS)]).plan(&flyway).ends(0);
    team.shop.run(&["execute", &team.file(), "--yes"]).ends(4);
    team.writes(&[base, ("R__a_shown.sql", &two), ("R__z.sql", WORKS)]).plan(&["--replan"]).ends(0);
    team.goes_on().ends(0);
    assert_eq!(
        team.shop.rows("SELECT attname::text FROM pg_attribute WHERE attrelid = 'shown'::regclass"),
        ["id", "v"]
    );
}
