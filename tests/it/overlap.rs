//! Rows that are written in the overlap, followed to the end of the release in a rehearsal on a real server: what is lost is found, with the step
//! and the query, and what is done well is no alarm.

use cutover::rehearse::rehearsal::Rehearsal;
use cutover::rehearse::{Loss, LossKind, Overlap};
use cutover::workload::Workload;

use crate::support::{self, Case, Site, numbered, rehearsed};

fn queries(texts: &[&str]) -> Workload {
    numbered(texts.iter().copied())
}

/// `blue q1: left out of public.users (initial) by 2, gone at 3`, and who told of it.
fn shown(overlap: &Overlap, loss: &Loss) -> String {
    let kind = match loss.kind {
        LossKind::Stops => "stops",
        LossKind::Taken => "taken from",
        LossKind::LeftOut => "left out of",
    };
    let who = overlap.version.name();
    let also: String = loss.also.iter().map(|query| format!(" {query}")).collect();
    let columns = if loss.columns.is_empty() { String::new() } else { format!(" ({})", loss.columns.join(", ")) };
    let step = loss.step.map_or(String::new(), |step| format!(" at {step}"));
    let gone = loss.gone.map_or(String::new(), |step| format!(", gone at {step}"));
    let told = loss.told.as_ref().map_or(String::new(), |told| format!("; {told}"));
    let table = if loss.table.is_empty() { "" } else { " " };
    let table = format!("{table}{}", loss.table.trim_start_matches("public."));
    format!("{who} {}{also}: {kind}{table}{columns}{step}{gone}{told}", loss.query)
}

/// What is lost, and how many of the queries that write were followed.
async fn check(case: Case<'_>, compared: usize, expected: &[&str]) -> Rehearsal {
    let (plan, rehearsal) = rehearsed(case, queries).await;
    let losses: Vec<String> =
        rehearsal.overlaps.iter().flat_map(|of| of.losses.iter().map(|loss| shown(of, loss))).collect();
    let steps: Vec<_> = plan.steps.iter().map(|step| format!("{} {:?} {}", step.id, step.phase, step.action)).collect();
    assert_eq!(losses, expected, "{}\n{steps:#?}\n{:#?}\n{:#?}", case.release, rehearsal.overlaps, rehearsal.synthetic);
    let followed: usize = rehearsal.overlaps.iter().map(|of| of.compared).sum();
    assert_eq!(followed, compared, "{}\n{:#?}\n{:#?}", case.release, rehearsal.overlaps, rehearsal.synthetic);
    let told = rehearsal.overlaps.iter().all(|of| of.untold().next().is_none());
    assert_eq!(rehearsal.is_safe(), told, "{}\n{:#?}", case.release, rehearsal.breaks());
    rehearsal
}

const SHOP: &str =
    "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text UNIQUE);
    CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, amount int, note text);";

const ADD_USER: &str = "INSERT INTO users (name, email) VALUES ($1, $2)";
const ADD_ORDER: &str = "INSERT INTO orders (user_id, amount) VALUES ($1, $2)";

/// A statement that the planner cannot read; its author says where it belongs.
fn hidden(phase: &str, sql: &str) -> String {
    format!("-- cutover: {phase} its author says so\nDO $do$ BEGIN EXECUTE $sql${sql}$sql$; END $do$;\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_blue_writes_behind_a_backfill_is_lost() {
    let blue = [ADD_USER, ADD_ORDER, "SELECT id, name FROM users"];
    let backfill = format!(
        "ALTER TABLE users ADD COLUMN initial text;\n{}",
        hidden("before", "UPDATE users SET initial = left(name, 1)")
    );
    check(
        Case { base: SHOP, release: &backfill, blue: &blue, green: &[] },
        2,
        &["blue q1: left out of users (initial) at 2"],
    )
    .await;
    // By a function that it calls, in either language.
    for body in [
        "LANGUAGE sql AS 'INSERT INTO users (name, email) VALUES ($1, $2)'",
        "LANGUAGE plpgsql AS 'BEGIN INSERT INTO users (name, email) VALUES ($1, $2); END'",
    ] {
        let base = format!("{SHOP} CREATE FUNCTION add_user(text, text) RETURNS void {body};");
        let blue = ["SELECT add_user($1, $2)", "SELECT count(*) FROM users"];
        check(
            Case { base: &base, release: &backfill, blue: &blue, green: &[] },
            1,
            &["blue q1: left out of users (initial) at 2"],
        )
        .await;
    }
    // What it was made from goes as well.
    let release = format!("{backfill}{}", hidden("after", "ALTER TABLE users DROP COLUMN name"));
    check(
        Case { base: SHOP, release: &release, blue: &blue, green: &[] },
        2,
        &["blue q1: left out of users (initial) at 2, gone at 3"],
    )
    .await;
    // A later step demands it.
    let release = format!("{backfill}{}", hidden("after", "ALTER TABLE users ALTER COLUMN initial SET NOT NULL"));
    check(Case { base: SHOP, release: &release, blue: &blue, green: &[] }, 2, &["blue q1: stops users (initial) at 3"])
        .await;
    // A copy, whose original goes.
    let copy = format!(
        "CREATE TABLE people (id bigint PRIMARY KEY, name text, email text);\n{}",
        hidden("before", "INSERT INTO people SELECT id, name, email FROM users")
    );
    check(
        Case { base: SHOP, release: &copy, blue: &blue, green: &["SELECT name FROM people"] },
        2,
        &["blue q1: left out of people at 2"],
    )
    .await;
    let release = format!("{copy}{}", hidden("after", "DROP TABLE users CASCADE"));
    check(
        Case { base: SHOP, release: &release, blue: &blue, green: &[] },
        2,
        &["blue q1: left out of people at 2, gone at 3"],
    )
    .await;
    // Rows made one before a key, and written twice again behind it.
    let blue = ["INSERT INTO orders (user_id, amount, note) VALUES ($1, $2, 'x')"];
    let base =
        format!("{SHOP} INSERT INTO users (name) VALUES ('Ada'); INSERT INTO orders (user_id, note) VALUES (1, 'x');");
    let release = format!(
        "{}{}",
        hidden("before", "UPDATE orders SET note = 'y' WHERE note = 'x'"),
        hidden("after", "ALTER TABLE orders ADD CHECK (note <> 'x')")
    );
    check(Case { base: &base, release: &release, blue: &blue, green: &[] }, 1, &["blue q1: stops orders at 2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_step_does_to_rows_of_green_is_lost() {
    let green = [ADD_ORDER, ADD_USER];
    let doubt = "whether it takes them depends on their values, and these were made up";
    for (sql, expected) in [
        ("DELETE FROM orders WHERE note IS NULL", "green q1: taken from orders at 1"),
        ("UPDATE orders SET amount = 0", &format!("green q1: taken from orders (amount) at 1; {doubt}")),
        (
            "ALTER TABLE orders ALTER COLUMN amount TYPE bigint USING amount * 100",
            "green q1: taken from orders (amount) at 1",
        ),
        ("TRUNCATE orders", "green q1: taken from orders at 1"),
        (
            "ALTER TABLE orders RENAME TO old; CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, amount int, note text)",
            "green q1: taken from orders at 1",
        ),
        (
            "DELETE FROM users WHERE email IS NOT NULL AND NOT EXISTS (SELECT FROM orders WHERE user_id = users.id)",
            "green q2: taken from users at 1",
        ),
    ] {
        check(Case { base: SHOP, release: &hidden("after", sql), blue: &[], green: &green }, 2, &[expected]).await;
    }
    // No synthetic address is one.
    let sql = hidden("after", "DELETE FROM users WHERE email NOT LIKE '%@%'");
    let expected = format!("green q1: taken from users at 1; {doubt}");
    check(Case { base: SHOP, release: &sql, blue: &[], green: &[ADD_USER] }, 1, &[&expected]).await;
}

/// What is done well.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_well_is_no_alarm() {
    let blue = [ADD_USER, ADD_ORDER, "UPDATE users SET name = $1 WHERE id = $2", "UPDATE orders SET note = $1"];
    let fill = |phase: &str| hidden(phase, "UPDATE users SET initial = left(name, 1) WHERE initial IS NULL");
    let column = "ALTER TABLE users ADD COLUMN initial text;\n";
    let trigger = "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.initial := left(NEW.name, 1); RETURN NEW; END $f$;
        CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION keep();\n";
    let insert_only = ["INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id", ADD_ORDER];
    for (release, blue, compared) in [
        // A second pass, by its author.
        (format!("{column}{}{}", fill("before"), fill("after")), &insert_only[..], 2),
        (format!("{column}{}{}{}", fill("before"), fill("after"), hidden("after", "ALTER TABLE users ALTER COLUMN initial SET NOT NULL")), &insert_only[..], 2),
        // A trigger that keeps both in step.
        (format!("{column}{trigger}{}", fill("before")), &blue[..], 4),
        // Computed by the server.
        ("ALTER TABLE users ADD COLUMN initial text GENERATED ALWAYS AS (left(name, 1)) STORED;".to_owned(), &blue[..], 4),
        // Random values, clocks and keys.
        ("ALTER TABLE users ADD COLUMN token text DEFAULT md5(random()::text), ADD COLUMN since timestamptz DEFAULT now(), ADD COLUMN n bigserial;".to_owned(), &blue[..], 4),
        // Old rows are told from new ones.
        ("ALTER TABLE users ADD COLUMN kind text NOT NULL DEFAULT 'old'; ALTER TABLE users ALTER COLUMN kind SET DEFAULT 'new';".to_owned(), &blue[..], 4),
        // Emptied and filled again, after the cutover and for both.
        (format!("CREATE TABLE totals (user_id bigint PRIMARY KEY, amount bigint);\n{}", hidden("after", "TRUNCATE totals; INSERT INTO totals SELECT user_id, sum(amount) FROM orders GROUP BY 1")), &blue[..], 4),
        // In no transaction, and labels that are used at once.
        ("CREATE INDEX CONCURRENTLY orders_user ON orders (user_id);".to_owned(), &blue[..], 4),
    ] {
        check(Case { base: SHOP, release: &release, blue, green: &[] }, compared, &[]).await;
    }
}

/// What the plan has told of, what its author wants, and what nobody misses is told and does not make the rehearsal fail.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_before_is_no_break() {
    let column = "ALTER TABLE users ADD COLUMN initial text;\n";
    let fill = "UPDATE users SET initial = left(name, 1);";
    let hidden_fill = hidden("before", "UPDATE users SET initial = left(name, 1)");
    let green = ["SELECT initial FROM users"];
    let lost = "blue q1: left out of users (initial) at 2";
    let told = |who: &str| format!("{lost}; {who}");
    let placed = format!("-- cutover: before the old ones get it\n{fill}");
    let allowed = hidden_fill.replace("\nDO", "\n-- cutover: allow(rows-written-in-overlap) a job does the rest\nDO");
    for (release, green, expected) in [
        (format!("{column}{fill}"), &green[..], told("the plan tells of it: rows-written-in-overlap (CO303)")),
        (format!("{column}{placed}"), &green, told("its author placed it there: the old ones get it")),
        (format!("{column}{allowed}"), &green, told("its author allows it: a job does the rest")),
        (format!("{column}{hidden_fill}"), &["SELECT id FROM users"], told("green is not seen to use what it lacks")),
        (format!("{column}{hidden_fill}"), &["SELECT * FROM users"], lost.to_owned()),
        (
            hidden("before", "CREATE TABLE saved AS SELECT * FROM users"),
            &["SELECT id FROM users"],
            "blue q1: left out of saved at 1; green is not seen to use what it lacks".to_owned(),
        ),
        (
            hidden("before", "CREATE TABLE saved AS SELECT * FROM users"),
            &[],
            "blue q1: left out of saved at 1; whether green uses what it lacks is not known".to_owned(),
        ),
        // What it was made from goes: its author cannot have meant that.
        (
            format!("{column}{placed}\n{}", hidden("after", "ALTER TABLE users DROP COLUMN name")),
            &green,
            format!("{lost}, gone at 3"),
        ),
    ] {
        check(Case { base: SHOP, release: &release, blue: &[ADD_USER], green }, 1, &[&expected]).await;
    }
}

/// Two rows that a step makes equal: whether there are two in production is not known.
#[tokio::test(flavor = "multi_thread")]
async fn what_several_queries_bring_about_is_told() {
    let fill = "UPDATE users SET email = 'nobody' WHERE email IS NULL";
    let release = format!("{}{}", hidden("before", fill), hidden("after", fill));
    let green = ["INSERT INTO users (name) VALUES ($1)", "INSERT INTO users (name) VALUES (upper($1))"];
    let expected = "green q1 q2: stops users at 2; only what several queries write together brings it about, and their values were made up";
    check(Case { base: SHOP, release: &release, blue: &[], green: &green }, 2, &[expected]).await;
    check(Case { base: SHOP, release: &release, blue: &[], green: &green[1..] }, 1, &[]).await;
}

/// What does not run with synthetic rows shows nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_run_at_home_shows_nothing() {
    let nothing = |rehearsal: &Rehearsal| -> Vec<String> {
        let reasons = rehearsal.overlaps.iter().flat_map(|of| &of.nothing);
        reasons.map(|(why, count)| format!("{count}: {why}")).collect()
    };
    // Rows that a step refuses wherever they come from; others are followed.
    let blue = [ADD_USER, "INSERT INTO orders (user_id, note) VALUES ($1, 'x')", ADD_ORDER];
    let release = format!(
        "{}{}",
        hidden("before", "UPDATE users SET name = upper(name)"),
        hidden("after", "ALTER TABLE orders ADD CHECK (note <> 'x')")
    );
    let rehearsal = check(Case { base: SHOP, release: &release, blue: &blue, green: &[] }, 2, &[]).await;
    assert_eq!(
        nothing(&rehearsal),
        ["1: a step fails on what it writes, also where nobody is there while the release runs"]
    );
    // No row at all.
    let release =
        hidden("after", "DO $x$ BEGIN IF EXISTS (SELECT FROM users) THEN RAISE EXCEPTION 'not empty'; END IF; END $x$");
    let green = [ADD_USER, "UPDATE users SET name = $1"];
    let expected = "green q1: stops at 1; it fails on synthetic rows that are there before, too";
    check(Case { base: SHOP, release: &release, blue: &[], green: &green }, 2, &[expected]).await;
    check(Case { base: SHOP, release: &release, blue: &[], green: &green[1..] }, 0, &[]).await;
}

/// Enum labels that are used at once, what refuses transactions, keys that wait, columns that go.
#[tokio::test(flavor = "multi_thread")]
async fn releases_of_all_kinds_are_played() {
    let base = "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (id int PRIMARY KEY, mood mood NOT NULL, at date NOT NULL DEFAULT '2024-01-01');
        INSERT INTO t VALUES (1, 'a');";
    let add = "INSERT INTO t (id, mood) VALUES ($1, $2)";
    for (release, green, followed) in [
        (
            "CREATE INDEX CONCURRENTLY t_at ON t (at);\nALTER TYPE mood ADD VALUE 'c';\nALTER TABLE t ALTER COLUMN mood SET DEFAULT 'c';",
            &[add][..],
            1,
        ),
        ("CREATE INDEX CONCURRENTLY t_at ON t (at);\nDROP INDEX CONCURRENTLY t_at;", &[add], 1),
        (
            "ALTER TABLE t ADD COLUMN day date;\nUPDATE t SET day = at WHERE day IS NULL;",
            &["UPDATE t SET day = $1 WHERE id = $2"],
            2,
        ),
        (
            "CREATE TABLE u (id int PRIMARY KEY, n int NOT NULL REFERENCES t DEFERRABLE INITIALLY DEFERRED);",
            &["INSERT INTO u VALUES ($1, 1)", add],
            1,
        ),
        ("ALTER TABLE t DROP COLUMN at;", &[add], 1),
    ] {
        check(Case { base, release, blue: &[add], green }, followed, &[]).await;
    }
}

/// The command says it in each of its forms.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_what_is_lost() {
    let database = support::database().await;
    let server = database.conninfo("postgres").await;
    let release = format!(
        "ALTER TABLE users ADD COLUMN initial text;\n{}",
        hidden("before", "UPDATE users SET initial = left(name, 1)")
    );
    let site = Site::new(&[
        ("m/V1__b.sql", SHOP),
        ("m/V2__p.sql", &release),
        ("blue/q.sql", "-- name: add_user\nINSERT INTO users (name, email) VALUES ($1, $2);"),
        ("green/q.sql", "-- name: initials\nSELECT initial FROM users;"),
    ]);
    let rehearse = |more: &[&str]| {
        let common = ["rehearse", "m", "--from", "1", "--server", &server, "--blue", "blue", "--green", "green"];
        site.run(&[&common[..], more].concat())
    };
    let (code, text) = rehearse(&[]);
    assert_eq!(code, 1, "{text}");
    let told = text.split("\nerror: ").nth(1).unwrap_or_default();
    insta::assert_snapshot!(told, @r"
    rows that blue writes in the overlap are not filled in public.users (initial): step 2, DO block (m/V2__p.sql:3:1) ran before they came
        query add_user at blue/q.sql:2:1, with $1 = name-0, $2 = email-11
        initial is NULL at the end; with the same query run before the first step, it is 'n'
        help: let what fills or copies rows run once more after the cutover, for those that lack it; or keep both forms in sync with a trigger that goes before the cutover
    Written in the overlap by blue, and followed to the end: 1 of 1 queries that write.
    Not safe. The rehearsal broke.
    ");
    let (code, text) = rehearse(&["--format", "json"]);
    for words in ["\"kind\": \"left-out\"", "\"severity\": \"error\"", "\"format_version\": \"2.5\"", "\"safe\": false"]
    {
        assert!(code == 1 && text.contains(words), "no {words:?} in\n{text}");
    }
    let (code, text) = rehearse(&["--format", "html"]);
    assert!(
        code == 1 && text.contains("<h3>Rows that blue writes in the overlap are not filled in public.users (initial)"),
        "{text}"
    );
    let (code, text) = rehearse(&["--no-synthetic-rows"]);
    assert!(code == 0 && !text.contains("overlap by"), "{text}");
}
