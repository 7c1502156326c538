//! Rows that are written in the overlap, followed to the end of the release in a rehearsal on a real server: what is lost is found, with the step
//! and the query, and what is done well is no alarm.

use cutover::rehearse::rehearsal::Rehearsal;
use cutover::rehearse::{Loss, LossKind, Overlap};
use cutover::workload::Workload;

use crate::support::{Case, numbered, rehearsed};

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
    let table = loss.table.trim_start_matches("public.");
    format!("{who} {}{also}: {kind} {table}{columns}{step}{gone}{told}", loss.query)
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

/// A statement that the planner can not read; its author says where it belongs.
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
    check(Case { base: SHOP, release: &copy, blue: &blue, green: &[] }, 2, &["blue q1: left out of people at 2"]).await;
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
    for (sql, expected) in [
        ("DELETE FROM orders WHERE note IS NULL", "green q1: taken from orders at 1"),
        ("UPDATE orders SET amount = 0", "green q1: taken from orders (amount) at 1"),
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
