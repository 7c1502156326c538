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
    // By its name, as if the version wrote it: that the server follows it is not seen.
    check(T, RENAMED, INSERT, "SELECT id FROM log2;", "CO102 (CO101) >");
    check(T, RENAMED, INSERT, INSERT, "safe (CO101) >");
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
