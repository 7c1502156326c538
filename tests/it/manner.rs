//! How an author wants a statement to run: what can be followed, and what is refused because it would make other rows of it.

use crate::support::Site;

const BASE: &str =
    "CREATE TABLE t (id bigint PRIMARY KEY, a int NOT NULL, b int, code text UNIQUE, up bigint REFERENCES t,
    made int NOT NULL GENERATED ALWAYS AS (a) STORED, seen timestamptz NOT NULL, loose int);
    CREATE INDEX ON t (a); CREATE INDEX ON t (made); CREATE INDEX ON t (seen); CREATE INDEX ON t (loose);
    CREATE VIEW active AS SELECT * FROM t WHERE b > 0;
    CREATE TABLE other (id bigint PRIMARY KEY, n int);
    CREATE TABLE kept (id bigint PRIMARY KEY, n int); CREATE TABLE below () INHERITS (kept);
    CREATE TABLE guests (host bigint, guest bigint REFERENCES other ON DELETE CASCADE);
    CREATE FUNCTION count() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE other SET n = n + 1; RETURN NEW; END $$;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen := now(); RETURN NEW; END $$;";

/// `Ok`: the kind of work that the plan has. `Err`: what the refusal says.
#[track_caller]
fn check(release: &str, expected: Result<&str, &str>) {
    let site = Site::new(&[("m/V1__b.sql", BASE), ("m/V2__r.sql", release)]);
    let (_, found) = site.run(&["plan", "m", "--convention", "refinery", "--from", "1", "--format", "json"]);
    match expected {
        Ok(kind) => assert!(found.contains(&format!("\"kind\": \"{kind}\"")) && !found.contains("CO005"), "{found}"),
        Err(why) => assert!(found.contains("CO005") && found.contains(why), "no {why:?} in\n{found}"),
    }
}

#[test]
fn statements_run_as_their_author_says() {
    check("-- cutover: backfill\nUPDATE t SET b = a WHERE b IS NULL;", Ok("backfill"));
    check("-- cutover: backfill key=a rows=5\nUPDATE t AS x SET b = 1;", Ok("backfill"));
    check("-- cutover: backfill\nDELETE FROM other WHERE n IS NULL;", Ok("backfill"));
    check("-- cutover: backfill\nUPDATE t SET b = n FROM other WHERE other.id = t.id;", Ok("backfill"));
    check("-- cutover: check within=1m\nSELECT NOT EXISTS (SELECT FROM t WHERE b IS NULL);", Ok("check"));
}

#[test]
fn what_would_make_other_rows_is_refused() {
    let backfill = |key: &str, sql: &str| format!("-- cutover: backfill {key}\n{sql};");
    check(&backfill("key=made", "UPDATE t SET a = a + 1"), Err("made is generated"));
    check(&backfill("key=a", "UPDATE t SET a = a + 1"), Err("it changes a, so a row could be taken twice"));
    check(&backfill("key=loose", "UPDATE t SET b = 1"), Err("loose may be NULL"));
    check(&backfill("key=b", "UPDATE t SET code = 'x'"), Err("b may be NULL"));
    check(&backfill("key=nope", "UPDATE t SET b = 1"), Err("no column nope"));
    check(&backfill("", "UPDATE t SET code = code || 'x'"), Err("it changes code, which is unique"));
    check(&backfill("", "DELETE FROM t WHERE b = 0"), Err("point to rows of the same table"));
    check(&backfill("", "UPDATE t SET b = (SELECT count(*) FROM active)"), Err("it reads active"));
    check(&backfill("", "UPDATE t SET b = (SELECT count(*) FROM t AS o)"), Err("it reads the table that it writes"));
    check(&backfill("", "UPDATE t SET b = 1 RETURNING id"), Err("RETURNING"));
    check(&backfill("", "INSERT INTO other SELECT id FROM t"), Err("only an UPDATE or a DELETE"));
    check(&backfill("", "UPDATE active SET b = 1"), Err("only a table has one"));
    check(&backfill("", "CREATE TABLE u (id int)"), Err("only an UPDATE or a DELETE"));
    let trigger = "CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();\n";
    check(
        &format!("{trigger}{}", backfill("key=seen", "UPDATE t SET b = 1")),
        Err("a trigger of the table may change it"),
    );
    check(
        &backfill("", "UPDATE kept SET n = (SELECT max(b.n) FROM below AS b) + 1"),
        Err("it reads below, which has rows of"),
    );
    check(
        &backfill("", "DELETE FROM other WHERE id IN (SELECT host FROM guests)"),
        Err("it reads guests, whose rows change"),
    );
    let counting = "CREATE TRIGGER count AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION count();\n";
    let read = backfill("", "UPDATE t SET b = n FROM other WHERE other.id = t.id");
    check(&format!("{counting}{read}"), Err("it reads other, which a trigger of t may change"));
    check(&format!("{trigger}{read}"), Ok("backfill"));
    check("-- cutover: check\nUPDATE t SET b = 1;", Err("only a SELECT"));
}
