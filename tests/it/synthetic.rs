//! Queries without a recording, run on synthetic rows in a rehearsal on a real server: what only rows decide is found, and nothing is an
//! alarm that the values alone have brought about.

use cutover::execute::Synthetic;
use cutover::execute::rehearsal::Rehearsal;
use cutover::workload::Workload;

use crate::support::{self, Site, numbered, rehearsed};

/// A release with the queries of its versions.
#[derive(Default, Clone, Copy)]
struct Case<'a> {
    base: &'a str,
    release: &'a str,
    blue: &'a [&'a str],
    green: &'a [&'a str],
}

fn queries(texts: &[&str]) -> Workload {
    numbered(texts.iter().copied())
}

async fn play(case: Case<'_>) -> Rehearsal {
    let workload = |of: &[&str]| (!of.is_empty()).then(|| queries(of));
    rehearsed(case.base, case.release, workload(case.blue).as_ref(), workload(case.green).as_ref()).await.1
}

/// What breaks, as `version query at step: message`.
fn breaks(rehearsal: &Rehearsal) -> Vec<String> {
    let shown = |of: &cutover::compat::matrix::Break<'_>| {
        assert!(of.failure.running, "{of:?}");
        let step = of.state.after_step.unwrap_or(0);
        format!("{} {} at {step}: {}", of.row.version.name(), of.row.query, of.failure.message)
    };
    rehearsal.breaks().iter().map(shown).collect()
}

/// How many queries count, and what breaks.
async fn check(case: Case<'_>, compared: usize, expected: &[&str]) -> Rehearsal {
    let rehearsal = play(case).await;
    assert_eq!(breaks(&rehearsal), expected, "{}\n{:#?}", case.release, rehearsal.synthetic);
    assert_eq!(
        rehearsal.synthetic.iter().map(|of| of.compared).sum::<usize>(),
        compared,
        "{}\n{:#?}",
        case.release,
        rehearsal.synthetic
    );
    assert_eq!(rehearsal.is_safe(), expected.is_empty(), "{}", case.release);
    rehearsal
}

const SHOP: &str =
    "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text UNIQUE);
    CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, amount int, note text);";

/// A statement that the planner can not read; its author says where it belongs.
fn hidden(phase: &str, sql: &str) -> String {
    format!("-- cutover: {phase} its author says so\nDO $do$ BEGIN EXECUTE $sql${sql}$sql$; END $do$;")
}

/// What the text does not show is found.
#[tokio::test(flavor = "multi_thread")]
async fn what_rows_decide_breaks_without_a_recording() {
    let add = "INSERT INTO orders (user_id, amount) VALUES ($1, $2)";
    let add_user = "INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id";
    // Green's INSERT leaves out a column that demands a value until it is gone.
    let (blue, green) = ([add], ["INSERT INTO orders (user_id) VALUES ($1)"]);
    let base = format!("{SHOP} ALTER TABLE orders ALTER COLUMN amount SET NOT NULL;");
    let release = hidden("after", "ALTER TABLE orders DROP COLUMN amount");
    check(
        Case { base: &base, release: &release, blue: &blue, green: &green },
        2,
        &["green q1 at 0: null value in column \"amount\" of relation \"orders\" violates not-null constraint (SQLSTATE 23502), when it was run on synthetic rows with $1 = 101"],
    )
    .await;
    // Blue's breaks a check of what it never gives.
    let release = hidden("before", "ALTER TABLE orders ADD CHECK (note IS NOT NULL) NOT VALID");
    let rehearsal = check(
        Case { base: SHOP, release: &release, blue: &[add, "SELECT id FROM orders WHERE user_id = $1"], green: &[] },
        2,
        &["blue q1 at 1: new row for relation \"orders\" violates check constraint \"orders_note_check\" (SQLSTATE 23514), when it was run on synthetic rows with $1 = 101, $2 = 101"],
    )
    .await;
    assert_eq!(rehearsal.disagreements.len(), 1, "{:?}", rehearsal.disagreements);
    // A trigger's body becomes ambiguous.
    let base = format!(
        "{SHOP} CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $f$
         DECLARE total int; BEGIN SELECT count(*) INTO total FROM orders WHERE orders.user_id = NEW.id AND total IS NULL; RETURN NEW; END $f$;
         CREATE TRIGGER stamp BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION stamp();"
    );
    let release = hidden("before", "ALTER TABLE orders ADD COLUMN total int");
    check(
        Case { base: &base, release: &release, blue: &[add_user], green: &[] },
        1,
        &["blue q1 at 1: column reference \"total\" is ambiguous (SQLSTATE 42702), when it was run on synthetic rows with $1 = name-0, $2 = email-11"],
    )
    .await;
    // The column of a body goes.
    let base = format!(
        "{SHOP} CREATE FUNCTION spent(who bigint) RETURNS bigint LANGUAGE plpgsql AS $f$ BEGIN RETURN (SELECT sum(amount) FROM orders WHERE user_id = who); END $f$;"
    );
    let release = hidden("before", "ALTER TABLE orders DROP COLUMN amount");
    check(
        Case { base: &base, release: &release, blue: &["SELECT spent($1)"], green: &[] },
        1,
        &["blue q1 at 1: column \"amount\" does not exist (SQLSTATE 42703), when it was run on synthetic rows with $1 = 1"],
    )
    .await;
    // A deferred check of the end of a transaction.
    let release = hidden(
        "before",
        "ALTER TABLE users ALTER COLUMN id SET GENERATED BY DEFAULT; CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM gone FROM orders; RETURN NULL; END'; CREATE CONSTRAINT TRIGGER no AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no()",
    );
    check(
        Case { base: SHOP, release: &release, blue: &[add_user], green: &[] },
        1,
        &["blue q1 at 1: column \"gone\" does not exist (SQLSTATE 42703), when it was run on synthetic rows with $1 = name-0, $2 = email-11"],
    )
    .await;
}

/// A release may demand what blue's application has always given, though nothing said so.
#[tokio::test(flavor = "multi_thread")]
async fn what_other_values_would_do_is_no_alarm() {
    let add = "INSERT INTO users (name, email) VALUES ($1, $2)";
    let order = "INSERT INTO orders (user_id, amount, note) VALUES ($1, $2, $3)";
    let rename = "UPDATE users SET name = $1";
    let all = [
        add,
        order,
        rename,
        "DELETE FROM orders WHERE id = $1",
        "DELETE FROM users WHERE id = $1",
        "SELECT * FROM users WHERE id = ANY($1)",
    ];
    let undecided = |rehearsal: &Rehearsal| -> Vec<String> {
        rehearsal.synthetic.iter().flat_map(|of| &of.undecided).map(|one| one.query.clone()).collect()
    };
    for (release, expected) in [
        ("ALTER TABLE users ADD CONSTRAINT one UNIQUE (name)", &["q3"][..]),
        ("ALTER TABLE users ADD CHECK (name IN ('a', 'b', 'c'))", &[]),
        ("ALTER TABLE users ADD CHECK (length(name) < 5 AND name <> '')", &[]),
        ("ALTER TABLE users ADD CHECK (email LIKE '%@%')", &[]),
        ("ALTER TABLE orders ADD CHECK (amount BETWEEN 5 AND 10)", &[]),
        ("ALTER TABLE orders ALTER COLUMN note SET NOT NULL", &[]),
        ("ALTER TABLE orders ALTER COLUMN amount TYPE bigint", &[]),
        ("ALTER TABLE users ADD CHECK (md5(name) = 'nobody knows')", &["q1", "q2"]),
        ("CREATE TABLE bills (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users)", &[]),
        ("CREATE TYPE kind AS ENUM ('x', 'y'); ALTER TABLE orders ADD COLUMN kind kind NOT NULL DEFAULT 'x'", &[]),
    ] {
        let release = hidden("before", release);
        let rehearsal = check(Case { base: SHOP, release: &release, blue: &all, green: &[] }, 6, &[]).await;
        assert_eq!(undecided(&rehearsal), expected, "{release}\n{:#?}", rehearsal.synthetic);
    }
    // Partitions, labels, and a foreign key to a table that was there.
    let base = "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE days (id int, at date NOT NULL, mood mood NOT NULL) PARTITION BY RANGE (at);
        CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
        CREATE TABLE days_2 PARTITION OF days DEFAULT;
        CREATE TABLE lines (day int);";
    let blue = ["INSERT INTO days (id, at, mood) VALUES ($1, $2, $3)", "INSERT INTO lines (day) VALUES ($1)"];
    for release in ["DROP TABLE days_2", "ALTER TYPE mood ADD VALUE 'c'"] {
        let release = hidden("before", release);
        check(Case { base, release: &release, blue: &blue, green: &blue }, 4, &[]).await;
    }
}

const TYPES: &str = "CREATE EXTENSION IF NOT EXISTS citext;
    CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TYPE pair AS (x int, y text);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0 AND VALUE < 50); CREATE DOMAIN address AS citext CHECK (VALUE ~ '^[^@]+@[^@]+$');
    CREATE DOMAIN short AS varchar(3) NOT NULL; CREATE TYPE span AS RANGE (subtype = numeric);
    CREATE TABLE every (
        a text NOT NULL, b varchar(4) NOT NULL UNIQUE, c char(2) NOT NULL, d smallint NOT NULL, e int NOT NULL, f bigint NOT NULL,
        g numeric(5,2) NOT NULL, h numeric(2,2) NOT NULL, i real NOT NULL, j double precision NOT NULL, k boolean NOT NULL, l uuid NOT NULL,
        m date NOT NULL, n timestamp NOT NULL, o timestamptz NOT NULL, p time NOT NULL, q timetz NOT NULL, r interval NOT NULL,
        s json NOT NULL, t jsonb NOT NULL, u bytea NOT NULL, v text[] NOT NULL, w int[][] NOT NULL, x mood NOT NULL, y pair NOT NULL,
        z positive NOT NULL, aa address NOT NULL, ab short, ac int4range NOT NULL, ad tstzrange NOT NULL, ae inet NOT NULL, af cidr NOT NULL,
        ag macaddr NOT NULL, ah bit(5) NOT NULL, ai bit varying NOT NULL, aj money NOT NULL, ak point NOT NULL, al tsvector NOT NULL,
        am xml, an name NOT NULL, ao oid NOT NULL, ap mood[] NOT NULL, aq positive[] NOT NULL, ar span NOT NULL, at_ int4multirange NOT NULL,
        au polygon NOT NULL, av box NOT NULL, aw circle NOT NULL, ax path NOT NULL, ay lseg NOT NULL, az line NOT NULL, ba macaddr8 NOT NULL,
        bb pg_lsn NOT NULL, bc text GENERATED ALWAYS AS (a || b) STORED, bd \"char\" NOT NULL,
        EXCLUDE USING gist (ac WITH &&), CHECK (a IN ('one', 'two')), CHECK (length(c) = 2), CHECK (m < n), CHECK (jsonb_typeof(t) = 'array'));";

/// Every type, and every way to point to other tables.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_all_kinds_are_filled() {
    let cases = [
        (TYPES, 1, &[][..]),
        // Of themselves, of each other, and of each other where neither may stay empty.
        ("CREATE TABLE a (id int PRIMARY KEY, up int REFERENCES a); CREATE TABLE b (id int PRIMARY KEY, own int NOT NULL REFERENCES b);", 2, &[]),
        (
            "CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
             ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;",
            2,
            &[],
        ),
        (
            "CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a DEFERRABLE INITIALLY DEFERRED);
             ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE INITIALLY DEFERRED;",
            2,
            &[],
        ),
        (
            "CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
             ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;",
            0,
            &["a", "b"],
        ),
        // Keys of several columns that share one.
        (
            "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE a (t int REFERENCES t, id int, PRIMARY KEY (t, id));
             CREATE TABLE b (t int, a int, c int, FOREIGN KEY (t, a) REFERENCES a, FOREIGN KEY (t, c) REFERENCES a, PRIMARY KEY (t, a, c));
             CREATE TABLE one (id int PRIMARY KEY REFERENCES t);",
            4,
            &[],
        ),
        // Partitions below partitions, heirs, and what nobody can fill.
        (
            "CREATE TABLE p (id int, kind text, at date) PARTITION BY LIST (kind); CREATE TABLE p1 PARTITION OF p FOR VALUES IN ('x') PARTITION BY RANGE (at);
             CREATE TABLE p2 PARTITION OF p1 FOR VALUES FROM ('2001-01-01') TO ('2002-01-01');
             CREATE TABLE h (a int); CREATE TABLE h1 (b text NOT NULL) INHERITS (h);
             CREATE TABLE \"Odd one\" (\"order\" int PRIMARY KEY, \"a \"\"b\" text NOT NULL); CREATE TABLE nothing ();
             CREATE TABLE never (a int CHECK (a > 5 AND a < 5)); CREATE VIEW v AS SELECT * FROM h;
             CREATE TABLE closed (a int); CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''closed''; END';
             CREATE TRIGGER no BEFORE INSERT ON closed FOR EACH ROW EXECUTE FUNCTION no();
             CREATE TABLE kept (a int); CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER keep_out BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION keep_out();",
            6,
            &["closed", "kept"],
        ),
    ];
    for (base, filled, unfilled) in cases {
        let case = Case { base, release: "CREATE TABLE later (a int);", blue: &["SELECT 1"], green: &[] };
        let rehearsal = play(case).await;
        let Synthetic { filled: is, unfilled: not, .. } = &rehearsal.synthetic[0];
        let not: Vec<_> = not.keys().map(|name| name.trim_start_matches("public.")).collect();
        assert_eq!((*is, not.as_slice()), (filled, unfilled), "{base}\n{:#?}", rehearsal.synthetic);
    }
}

/// What does not succeed at home shows nothing and is counted by its reason.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_succeed_at_home_is_counted() {
    let base = format!("{SHOP} INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.com');");
    let blue = [
        "SELECT gone FROM users",
        "INSERT INTO orders (user_id) VALUES (-1)",
        "SELECT 1 / (SELECT count(*) FROM orders WHERE amount < 0)",
        "SELECT nextval('orders_id_seq') = 1 FROM orders WHERE user_id = $1",
        "VACUUM users",
        "SELECT email FROM users WHERE name = $1 LIMIT $2",
    ];
    let release = hidden("before", "ALTER TABLE orders ADD COLUMN tax int");
    let rehearsal = play(Case { base: &base, release: &release, blue: &blue, green: &[] }).await;
    let found = &rehearsal.synthetic[0];
    let nothing: Vec<_> = found.nothing.iter().map(|(why, count)| format!("{why} {count}")).collect();
    assert_eq!(nothing, ["22012 1", "23503 1", "42703 1", "it does not run in a transaction 1"]);
    assert_eq!((found.queries, found.compared, found.filled, found.had_rows), (6, 2, 1, 1));
    assert!(found.undecided.is_empty() && found.cut == 0, "{found:#?}");
}

/// No step meets a synthetic row, and no sequence has counted.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_behind() {
    let empty = "-- cutover: before it only looks\nDO $$ BEGIN
        IF EXISTS (SELECT FROM users) OR EXISTS (SELECT FROM orders) OR (SELECT is_called FROM orders_id_seq) OR (SELECT is_called FROM users_id_seq)
        THEN RAISE EXCEPTION 'somebody was here'; END IF; END $$;";
    let release = format!(
        "{empty}\nALTER TABLE orders ADD COLUMN tax int NOT NULL DEFAULT 1;\n{}",
        empty.replace("before", "after")
    );
    let blue = ["INSERT INTO users (name) VALUES ($1)", "SELECT nextval('orders_id_seq')"];
    let green = ["INSERT INTO orders (user_id, tax) VALUES ($1, $2)", "INSERT INTO users (name) VALUES ($1)"];
    check(Case { base: SHOP, release: &release, blue: &blue, green: &green }, 4, &[]).await;
}

/// The command says it, and can be told not to.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_of_synthetic_rows() {
    let database = support::database().await;
    let server = database.conninfo("postgres").await;
    // What a function puts together, nobody reads.
    let base = format!(
        "{SHOP} CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $f$
         BEGIN EXECUTE 'SELECT coalesce(amount, 0) FROM orders'; RETURN NEW; END $f$;
         CREATE TRIGGER fill BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fill();"
    );
    let release = "-- cutover: before nobody reads it\nALTER TABLE orders DROP COLUMN amount;";
    let site = Site::new(&[
        ("m/V1__b.sql", &base),
        ("m/V2__p.sql", release),
        ("blue/q.sql", "-- name: add_order\nINSERT INTO orders (user_id, note) VALUES ($1, $2);"),
    ]);
    let rehearse = |more: &[&str]| {
        site.run(&[&["rehearse", "m", "--from", "1", "--server", &server, "--blue", "blue"], more].concat())
    };
    let (code, text) = rehearse(&[]);
    assert_eq!(code, 1, "{text}");
    for words in [
        "error: blue breaks after step 1",
        "when it was run on synthetic rows with $1 = 101, $2 = note-0",
        "Run on synthetic rows at every state where blue lives: 1 of 1 queries; tables filled: 2.",
        "not seen in the text: blue add_order",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let (code, text) = rehearse(&["--format", "json"]);
    assert_eq!(code, 1, "{text}");
    for words in ["\"synthetic\": true", "\"replayed\": false", "\"filled\": 2", "\"format_version\": \"2.3\""] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let (code, text) = rehearse(&["--format", "html"]);
    assert!(
        code == 1 && text.contains("Run on synthetic rows at every state where blue lives: 1 of 1 query"),
        "{text}"
    );
    let (code, text) = rehearse(&["--no-synthetic-rows"]);
    assert!(code == 0 && !text.contains("synthetic"), "{text}");
}
