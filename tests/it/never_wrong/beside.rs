//! What rules write beside a version's own rows, and one value of a query beside rows of green.

use super::verdicts::{ONE, check};

/// A rule's statements are a version's own, as a trigger's are.
#[test]
fn what_a_rule_writes_is_held_against_the_schema() {
    const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE log (id int, a int);
        CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log (id, a) VALUES (NEW.id, NEW.a);";
    const INSERT: &str = "INSERT INTO t (id, a) VALUES ($1, $2);";
    const DELETE: &str = "DELETE FROM t WHERE id = $1;";
    // A column that the rule leaves out, and a key that its rows may break.
    const DEMANDED: &str = "ALTER TABLE log ADD COLUMN c int; ALTER TABLE log ALTER COLUMN c SET NOT NULL;";
    check(T, DEMANDED, INSERT, DELETE, "safe (CO101) <>");
    check(T, DEMANDED, DELETE, INSERT, "CO203 (CO101) <>");
    check(T, DEMANDED, DELETE, DELETE, "safe (CO101) <>");
    const RENAMED: &str = "ALTER TABLE log RENAME TO log2;";
    const CHECK: &str = "ALTER TABLE log ADD CHECK (a > 0);";
    check(T, CHECK, INSERT, DELETE, "safe (CO101) >");
    check(T, CHECK, DELETE, DELETE, "safe (CO101) >");
    const NO_NULL: &str = "ALTER TABLE log ALTER COLUMN a SET NOT NULL;";
    // A key that its ON CONFLICT needs.
    const K: &str = "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE log (id int, a int, CONSTRAINT k UNIQUE (id));
        CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log (id, a) VALUES (NEW.id, NEW.a) ON CONFLICT (id) DO NOTHING;";
    const GONE: &str = "ALTER TABLE log DROP CONSTRAINT k;";
    check(K, GONE, INSERT, DELETE, "safe (CO101) >");
    check(K, GONE, DELETE, INSERT, "CO203 (CO101) <");
    check(K, GONE, DELETE, DELETE, "safe (CO101) >");
    // One that is off does nothing.
    const OFF: &str = "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE log (id int, a int);
        CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log (id, a) VALUES (NEW.id, NEW.a); ALTER TABLE t DISABLE RULE r;";
    check(OFF, CHECK, INSERT, DELETE, "safe (CO101) >");
    check(OFF, NO_NULL, INSERT, DELETE, "safe (CO101) >");
    check(T, NO_NULL, INSERT, INSERT, "safe (CO101) >");
    // Its condition stands on columns, too.
    const WHEN: &str = "CREATE TABLE t (id int PRIMARY KEY, a int, kind text); CREATE TABLE log (id int, a int);
        CREATE RULE r AS ON INSERT TO t WHERE NEW.kind = 'x' DO ALSO INSERT INTO log (id, a) VALUES (NEW.id, NEW.a);";
    check(WHEN, "ALTER TABLE t DROP COLUMN kind;", ONE, ONE, "CO411 (CO101) <");
    check(WHEN, "DROP RULE r ON t; ALTER TABLE t DROP COLUMN kind;", ONE, ONE, "CO101 (CO101) >>");
    check(WHEN, CHECK, DELETE, INSERT, "safe (CO101) >");
    // The server follows what is renamed, a table or a column, and what is in its place then is another.
    const BOTH: &str = "ALTER TABLE log RENAME TO log2; ALTER TABLE log2 RENAME COLUMN a TO b;";
    check(T, RENAMED, INSERT, "SELECT id FROM log2;", "safe (CO101) <");
    check(T, BOTH, INSERT, "SELECT b FROM log2;", "safe (CO101) <<");
    check(T, RENAMED, "SELECT id FROM log;", "SELECT id FROM log2;", "CO102 (CO101) >");
    check(T, RENAMED, INSERT, INSERT, "safe (CO101) >");
    // What the rule's rows must be, they must be under the other name.
    const LOGGED: &str = "ALTER TABLE log RENAME TO log2; ALTER TABLE log2 ADD CHECK (a > 0);";
    check(T, LOGGED, INSERT, "SELECT id FROM log2;", "safe (CO101) <>");
}

#[test]
fn one_value_beside_rows_of_green() {
    const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY, k text, n int, gone timestamptz, on_ boolean);";
    const GREEN: &str = "INSERT INTO u (id, k, n) VALUES ($1, $2, $3);";
    const PLACED: &str = "-- cutover: after so\nUPDATE t SET a = (SELECT u.n FROM u WHERE u.k = t.b);";
    const BY_KEY: &str = "-- cutover: after so\nUPDATE t SET a = (SELECT u.n FROM u WHERE u.id = t.a);";
    const EARLY: &str = "-- cutover: before so\nUPDATE t SET a = (SELECT u.n FROM u WHERE u.k = t.b);";
    check(T, PLACED, ONE, GREEN, "safe (CO303) >");
    check(T, PLACED, ONE, ONE, "safe >");
    check(T, BY_KEY, ONE, GREEN, "safe >");
    check(T, EARLY, ONE, GREEN, "safe <");
    // Keys of some rows, and of expressions.
    let keyed = |index: &str| -> &'static str { format!("{T} CREATE UNIQUE INDEX i ON u {index};").leak() };
    let by = |condition: &str| -> &'static str {
        format!("-- cutover: after so\nUPDATE t SET a = (SELECT u.n FROM u WHERE {condition});").leak()
    };
    check(keyed("(lower(k))"), by("lower(u.k) = lower(t.b)"), ONE, GREEN, "safe >");
    check(keyed("(lower(k))"), by("upper(u.k) = t.b"), ONE, GREEN, "safe (CO303) >");
    check(keyed("(k) WHERE gone IS NULL"), by("u.k = t.b AND u.gone IS NULL"), ONE, GREEN, "safe >");
    check(keyed("(k) WHERE gone IS NULL"), by("u.k = t.b AND u.gone IS NOT NULL"), ONE, GREEN, "safe (CO303) >");
    check(keyed("(k) WHERE gone IS NULL"), by("u.k = t.b"), ONE, GREEN, "safe (CO303) >");
    check(keyed("(k) WHERE on_"), by("u.k = t.b AND u.on_"), ONE, GREEN, "safe >");
    check(keyed("(k) WHERE on_"), by("u.k = t.b AND NOT u.on_"), ONE, GREEN, "safe (CO303) >");
    check(keyed("(n) WHERE k LIKE 'a%'"), by("u.n = t.a AND u.k LIKE 'a%'"), ONE, GREEN, "safe >");
    check(keyed("(n) WHERE k LIKE 'a%'"), by("u.n = t.a AND u.k NOT LIKE 'a%'"), ONE, GREEN, "safe (CO303) >");
    check(keyed("(n) WHERE k IN ('a')"), by("u.n = t.a AND u.k NOT IN ('a')"), ONE, GREEN, "safe (CO303) >");
    // Two numbers that are equal may be two texts.
    check(keyed("((n::text))"), by("u.n = t.a"), ONE, GREEN, "safe (CO303) >");
    check(keyed("((n::text))"), by("u.n::text = t.b"), ONE, GREEN, "safe >");
    check(keyed("(k, (n + 1)) WHERE n > 0"), by("n > 0 AND u.k = t.b AND n + 1 = t.a"), ONE, GREEN, "safe >");
    check(keyed("(k, (n + 1)) WHERE n > 0"), by("n > 1 AND u.k = t.b AND n + 1 = t.a"), ONE, GREEN, "safe (CO303) >");
}

#[test]
fn an_operator_in_the_place_of_one_of_the_servers_is_told() {
    const T: &str = "CREATE TABLE t (id int, v varchar(9)); CREATE TYPE own AS (a int);
        CREATE FUNCTION eq(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT true';
        CREATE FUNCTION same(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
        CREATE FUNCTION alike(own, own) RETURNS boolean LANGUAGE sql AS 'SELECT true';";
    const BLUE: &str = "SELECT id FROM t WHERE v = $1;";
    const OTHER: &str = "SELECT id FROM t WHERE id < $1;";
    const MADE: &str = "CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = eq);";
    check(T, MADE, BLUE, ONE, "safe (CO301) <");
    check(T, MADE, "SELECT id FROM t WHERE v IN ($1, $2);", ONE, "safe (CO301) <");
    check(T, MADE, OTHER, ONE, "safe <");
    // By words, and by another spelling.
    let made = |sign: &str| -> &'static str {
        format!("CREATE OPERATOR {sign} (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = eq);").leak()
    };
    const TOLD: &str = "safe (CO301) <";
    check(T, made(">="), "SELECT id FROM t WHERE v BETWEEN $1 AND $2;", ONE, TOLD);
    check(T, made("<"), "SELECT id FROM t WHERE v BETWEEN $1 AND $2;", ONE, "safe <");
    check(T, made("<"), "SELECT id FROM t WHERE v NOT BETWEEN $1 AND $2;", ONE, TOLD);
    check(T, made(">="), "SELECT id FROM t WHERE v NOT BETWEEN $1 AND $2;", ONE, "safe <");
    check(T, made("<>"), "SELECT id FROM t WHERE v != $1;", ONE, TOLD);
    check(T, made("<>"), "SELECT id FROM t WHERE v NOT IN ($1, $2);", ONE, TOLD);
    check(T, made("<>"), "SELECT id FROM t WHERE v IN ($1, $2);", ONE, "safe <");
    check(T, MADE, "SELECT CASE v WHEN $1 THEN 1 END FROM t;", ONE, TOLD);
    check(T, MADE, "SELECT CASE WHEN id > 1 THEN 1 END FROM t;", ONE, "safe <");
    check(T, MADE, "SELECT nullif(v, $1) FROM t;", ONE, TOLD);
    check(T, MADE, "SELECT id FROM t WHERE v IS DISTINCT FROM $1;", ONE, TOLD);
    check(T, MADE, "SELECT DISTINCT v FROM t;", ONE, "safe <");
    check(T, MADE, "SELECT a.id FROM t a JOIN t b USING (v);", ONE, TOLD);
    check(T, made("!~~"), "SELECT id FROM t WHERE v NOT LIKE $1;", ONE, TOLD);
    // Types of one's own, a sign of one's own, and one that the server has just like it.
    check(T, "CREATE OPERATOR = (LEFTARG = own, RIGHTARG = own, FUNCTION = alike);", BLUE, ONE, "safe <");
    check(T, "CREATE OPERATOR === (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = eq);", BLUE, ONE, "safe <");
    check(T, "CREATE OPERATOR = (LEFTARG = int, RIGHTARG = int, FUNCTION = same);", BLUE, ONE, "safe <");
}

#[test]
fn what_goes_with_an_extension_is_not_known() {
    const T: &str = "CREATE EXTENSION citext; CREATE TABLE t (id int, c citext);";
    check(T, "DROP EXTENSION citext CASCADE;", ONE, ONE, "CO101 >");
    check(T, "DROP EXTENSION citext;", ONE, ONE, "safe >");
    check(T, "-- cutover: after nobody has it\nDROP EXTENSION citext CASCADE;", ONE, ONE, "safe >");
}

#[test]
fn a_class_that_on_conflict_asks_for_is_looked_at() {
    const PLAIN: &str = "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE UNIQUE INDEX ua ON t (a);";
    const PATTERN: &str =
        "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE UNIQUE INDEX ua ON t (a text_pattern_ops);";
    const TO_PATTERN: &str = "CREATE UNIQUE INDEX ub ON t (a text_pattern_ops); DROP INDEX ua;";
    const TO_PLAIN: &str = "CREATE UNIQUE INDEX ub ON t (a); DROP INDEX ua;";
    const ANY: &str = "INSERT INTO t (id, a) VALUES ($1, $2) ON CONFLICT (a) DO NOTHING;";
    const TEXT: &str = "INSERT INTO t (id, a) VALUES ($1, $2) ON CONFLICT (a text_ops) DO NOTHING;";
    const BY_PATTERN: &str = "INSERT INTO t (id, a) VALUES ($1, $2) ON CONFLICT (a text_pattern_ops) DO NOTHING;";
    check(PLAIN, TO_PATTERN, TEXT, BY_PATTERN, "safe <>");
    check(PATTERN, TO_PLAIN, BY_PATTERN, TEXT, "safe <>");
    check(PLAIN, TO_PATTERN, TEXT, ANY, "safe <>");
    // Nothing is lost where no class is asked for, and one that stays lacking is missed by green.
    check(PLAIN, TO_PATTERN, ANY, ANY, "safe <>");
    check(PLAIN, TO_PATTERN, TEXT, TEXT, "CO203 <>");
    // `varchar_ops` is the same as `text_ops`.
    check(
        PLAIN,
        "ALTER TABLE t ADD COLUMN c int;",
        "INSERT INTO t (id, a) VALUES ($1, $2) ON CONFLICT (a varchar_ops) DO NOTHING;",
        ONE,
        "safe <",
    );
    // Collations.
    const C: &str = "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE UNIQUE INDEX ua ON t (a COLLATE \"C\");";
    const BY_C: &str = "INSERT INTO t (id, a) VALUES ($1, $2) ON CONFLICT (a COLLATE \"C\") DO NOTHING;";
    check(C, TO_PLAIN, BY_C, ANY, "safe <>");
}

#[test]
fn a_key_that_follows_from_another_takes_nothing() {
    const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE, b text UNIQUE, live boolean);
        CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);";
    const INSERT: &str = "INSERT INTO t (id, a, b, live) VALUES ($1, $2, $3, true);";
    const WIDER: &str = "INSERT INTO t (id, a, live) VALUES ($1, $2, true) ON CONFLICT (a, live) DO NOTHING;";
    const PARTIAL: &str = "INSERT INTO t (id, a) VALUES ($1, $2) ON CONFLICT (a) WHERE live DO NOTHING;";
    check(T, "CREATE UNIQUE INDEX i ON t (a, live);", INSERT, WIDER, "safe <");
    check(T, "ALTER TABLE t ADD UNIQUE (live, a);", INSERT, WIDER, "safe <");
    check(T, "CREATE UNIQUE INDEX i ON t (a) WHERE live;", INSERT, PARTIAL, "safe <");
    // These refuse more than the key that is there.
    const NULLS: &str = "CREATE UNIQUE INDEX i ON t (a, live) NULLS NOT DISTINCT;";
    check(T, NULLS, INSERT, WIDER, "CO102 >");
    check(
        T,
        "CREATE UNIQUE INDEX i ON t (live);",
        INSERT,
        "INSERT INTO t (id) VALUES ($1) ON CONFLICT (live) DO NOTHING;",
        "CO102 >",
    );
    const CI: &str = "INSERT INTO t (id, b) VALUES ($1, $2) ON CONFLICT (b COLLATE ci) DO NOTHING;";
    check(T, "CREATE UNIQUE INDEX i ON t (b COLLATE ci);", INSERT, CI, "CO102 >");
    check(
        T,
        "CREATE UNIQUE INDEX i ON t (lower(b));",
        INSERT,
        "INSERT INTO t (id, b) VALUES ($1, $2) ON CONFLICT (lower(b)) DO NOTHING;",
        "CO102 >",
    );
    const LATE: &str = "CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE DEFERRABLE, b text, live boolean);";
    check(LATE, "CREATE UNIQUE INDEX i ON t (a, live);", INSERT, WIDER, "CO102 >");
}

#[test]
fn blanks_at_the_end_are_told() {
    const T: &str = "CREATE TABLE t (id int PRIMARY KEY, c char(3), v varchar(3), n text);";
    const READS: &str = "SELECT c, v, n FROM t WHERE id = $1;";
    check(T, "ALTER TABLE t ALTER COLUMN c TYPE varchar(3);", READS, ONE, "safe >");
    check(T, "ALTER TABLE t ALTER COLUMN c TYPE varchar;", READS, ONE, "safe (CO301 CO308) <");
    check(T, "ALTER TABLE t ALTER COLUMN c TYPE text;", READS, ONE, "safe (CO301 CO308) <");
    check(T, "ALTER TABLE t ALTER COLUMN c TYPE text;", ONE, ONE, "safe <");
    check(T, "ALTER TABLE t ALTER COLUMN v TYPE text;", READS, ONE, "safe (CO308) <");
    check(T, "ALTER TABLE t ALTER COLUMN n TYPE char(30);", READS, ONE, "safe >");
    // So is what USING computes.
    check(T, "ALTER TABLE t ALTER COLUMN n TYPE text USING upper(n);", READS, ONE, "safe (CO301) <");
    check(T, "ALTER TABLE t ALTER COLUMN n TYPE varchar USING n::varchar;", READS, ONE, "safe (CO308) <");
    check(T, "ALTER TABLE t ALTER COLUMN n TYPE text USING upper(n);", ONE, ONE, "safe <");
}

#[test]
fn what_follows_a_renamed_table_needs_no_name_of_it() {
    const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE VIEW v AS SELECT id, a FROM t;";
    const READS: &str = "SELECT a FROM v WHERE id = $1;";
    check(T, "ALTER TABLE t RENAME TO u;", READS, "SELECT a FROM u;", "safe <");
    check(T, "ALTER TABLE t RENAME COLUMN a TO b;", READS, "SELECT b FROM t;", "safe <");
    check(T, "ALTER TABLE t RENAME TO u;", "SELECT a FROM t;", "SELECT a FROM u;", "CO102 >");
    // A foreign key that no longer takes its rows along when a key changes.
    const K: &str =
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int CONSTRAINT f REFERENCES p ON UPDATE CASCADE);";
    const SWAP: &str = "ALTER TABLE c DROP CONSTRAINT f, ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES p;";
    check(K, SWAP, "UPDATE p SET id = $1 WHERE id = $2;", ONE, "safe >");
    check(K, SWAP, "SELECT id FROM p;", ONE, "safe >");
}
