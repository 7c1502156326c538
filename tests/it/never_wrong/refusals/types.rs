//! Types that are renamed, replaced or dropped, and what still names them.

const M: &str =
    "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE users (id int PRIMARY KEY, m mood NOT NULL DEFAULT 'a')";
const TO_TEXT: &str = "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE users (id int PRIMARY KEY, m mood NOT NULL DEFAULT 'a');
    ALTER TABLE users ALTER m TYPE text USING m::text; ALTER TYPE mood RENAME TO mood_old; CREATE TYPE mood AS ENUM ('c')";
const T: &str = "CREATE TABLE t (a int)";

pub(super) const CASES: &[(&str, &str, bool)] = &[
    // The way in which most teams replace an enum.
    (
        M,
        "ALTER TYPE mood RENAME TO mood_old; CREATE TYPE mood AS ENUM ('a'); ALTER TABLE users ALTER m DROP DEFAULT, ALTER m TYPE mood USING m::text::mood, ALTER m SET DEFAULT 'a'; DROP TYPE mood_old",
        false,
    ),
    (
        M,
        "CREATE FUNCTION is_a(x mood) RETURNS boolean LANGUAGE sql AS $$ SELECT x = 'a' $$; ALTER TYPE mood RENAME TO mood_old; ALTER TABLE users DROP COLUMN m; DROP TYPE mood_old",
        true,
    ),
    (
        M,
        "CREATE DOMAIN dm AS mood; ALTER TYPE mood RENAME TO mood_old; ALTER TABLE users DROP COLUMN m; DROP TYPE mood_old",
        true,
    ),
    (
        M,
        "CREATE TYPE pair AS (m mood, n int); ALTER TYPE mood RENAME TO mood_old; ALTER TABLE users DROP COLUMN m; DROP TYPE mood_old",
        true,
    ),
    // The default is still a value of the old type.
    (TO_TEXT, "DROP TYPE mood_old", true),
    (TO_TEXT, "DROP TYPE mood", false),
    (TO_TEXT, "ALTER TABLE users ALTER m SET DEFAULT 'a'; DROP TYPE mood_old", false),
    (
        "CREATE TYPE mood AS ENUM ('a'); CREATE TABLE users (m mood DEFAULT NULL)",
        "ALTER TABLE users ALTER m TYPE text USING m::text; DROP TYPE mood",
        false,
    ),
    (
        "CREATE DOMAIN email AS text; CREATE TABLE users (mail email NOT NULL DEFAULT '')",
        "ALTER TABLE users ALTER mail TYPE text; DROP DOMAIN email",
        false,
    ),
    // A table of a type follows its name.
    (
        "CREATE TYPE person AS (a int); CREATE TABLE people OF person",
        "ALTER TYPE person RENAME TO human; ALTER TYPE human ADD ATTRIBUTE b int CASCADE; CREATE VIEW v AS SELECT b FROM people",
        false,
    ),
    // Views without rows.
    (T, "CREATE MATERIALIZED VIEW v AS SELECT a FROM t WITH NO DATA; CREATE TABLE c AS SELECT * FROM v", true),
    (
        T,
        "CREATE MATERIALIZED VIEW v AS SELECT a FROM t WITH NO DATA; CREATE TABLE c AS SELECT * FROM v WITH NO DATA",
        false,
    ),
    (
        T,
        "CREATE MATERIALIZED VIEW v AS SELECT a FROM t WITH NO DATA; DO $$ BEGIN REFRESH MATERIALIZED VIEW v; END $$; CREATE TABLE c AS SELECT * FROM v",
        false,
    ),
    // The index of a replica identity keeps what it is under another name.
    (
        "CREATE TABLE t (id int, v int NOT NULL); CREATE UNIQUE INDEX t_v ON t (v); ALTER TABLE t REPLICA IDENTITY USING INDEX t_v",
        "ALTER INDEX t_v RENAME TO t_vv; ALTER TABLE t ALTER v DROP NOT NULL",
        true,
    ),
    // A collation that says what is so anyway.
    (
        "CREATE TABLE t (id int, v text); CREATE UNIQUE INDEX t_v ON t (v COLLATE \"default\")",
        "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX t_v",
        false,
    ),
];
