//! Folders of every migration tool: what of them goes forward, in which order, and what is refused.

use camino::Utf8Path;
use cutover::migrations::{self, Convention, Reading};
use insta::assert_snapshot;

/// A folder of files, read; each migration on a line with what of it runs.
fn check(files: &[(&str, &str)]) -> String {
    read(files, &Reading::default())
}

fn read(files: &[(&str, &str)], reading: &Reading) -> String {
    let directory = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(directory.path()).unwrap().join("m");
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let folder = match migrations::load_with(&root, reading) {
        Ok(folder) => folder,
        Err(error) => return error.to_string().replace(root.as_str(), "m"),
    };
    let mut lines = vec![folder.convention.to_string()];
    for migration in &folder.migrations {
        let statements = cutover::sql::read_parts(&folder.sources, &migration.parts).0;
        let texts: Vec<_> = statements.iter().map(|s| folder.sources.slice(s.span).replace('\n', " ")).collect();
        let notes = [
            migration.program.map(|language| format!(" ({language})")),
            (!migration.in_transaction).then(|| " (no transaction)".to_owned()),
        ];
        let notes: String = notes.into_iter().flatten().collect();
        lines.push(format!("{} {:?}{notes}: {}", migration.version, migration.name, texts.join(" | ")));
    }
    lines.join("\n")
}

#[test]
fn flyway() {
    assert_snapshot!(check(&[
        ("flyway.toml", "[flyway.placeholders]\nschema = \"app\"\n"),
        ("V1.10__b.sql", "CREATE TABLE ${schema}.b (a int);"),
        ("V1_2__a.sql", "CREATE TABLE a (a int);"),
        ("sub/V2__c.sql", "CREATE INDEX CONCURRENTLY i ON a (a);"),
        ("sub/V2__c.sql.conf", "executeInTransaction=false\n"),
        ("U1.10__b.sql", "DROP TABLE b;"),
        ("R__views.sql", "CREATE OR REPLACE VIEW v AS SELECT 1;"),
        ("beforeMigrate.sql", "SELECT 1;"),
    ]), @r#"
    flyway
    1.2 "a": CREATE TABLE a (a int)
    1.10 "b": CREATE TABLE app.b (a int)
    2 "c" (no transaction): CREATE INDEX CONCURRENTLY i ON a (a)
    R__views "views": CREATE OR REPLACE VIEW v AS SELECT 1
    "#);
    assert_snapshot!(check(&[("flyway.conf", ""), ("V1__a.sql", "SELECT 1;\nCREATE TABLE\n  ${schema}.a (a int);")]), @"m/V1__a.sql:3:3: nothing says what ${schema} stands for; pass --placeholder schema=VALUE");
    let placeholders = [("schema".to_owned(), "app".to_owned())].into();
    let given = Reading { convention: Some(Convention::Flyway), placeholders };
    assert_snapshot!(read(&[("V1__a.sql", "CREATE TABLE ${schema}.a (a int);")], &given), @r#"
    flyway
    1 "a": CREATE TABLE app.a (a int)
    "#);
    assert_snapshot!(check(&[("flyway.conf", ""), ("V1__a.sql", ""), ("V2_b.sql", "")]), @"the names in m do not fit one convention: 1 is named as flyway (V1__a.sql), 1 not (V2_b.sql); say which one with --convention");
    assert_snapshot!(check(&[("flyway.conf", ""), ("V1__a.sql", ""), ("V1.0__b.sql", "")]), @"version 1 twice: V1.0__b.sql and V1__a.sql; rename one of them");
}

#[test]
fn refinery_is_not_flyway() {
    // One name, two tools with opposite meanings of `U`.
    assert_snapshot!(check(&[("V1__a.sql", "SELECT 1"), ("U2__b.sql", "SELECT 2")]), @"m is ambiguous: U2__b.sql is a forward migration to refinery and an undo script to Flyway; say which one with --convention");
    assert_snapshot!(check(&[("refinery.toml", ""), ("V1__a.sql", "SELECT 1"), ("U2__b.sql", "SELECT 2")]), @r#"
    refinery
    1 "a": SELECT 1
    2 "b": SELECT 2
    "#);
    assert_snapshot!(check(&[("flyway.toml", ""), ("V1__a.sql", "SELECT 1"), ("U2__b.sql", "SELECT 2")]), @r#"
    flyway
    1 "a": SELECT 1
    "#);
    assert_snapshot!(check(&[("refinery.toml", ""), ("flyway.toml", ""), ("V1__a.sql", "SELECT 1")]), @"m is ambiguous: both Flyway's and refinery's files or settings are here; say which one with --convention");
}

#[test]
fn dbmate() {
    assert_snapshot!(check(&[
        ("2_b.sql", "-- comment\n-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON a (a);\n-- migrate:down\nDROP INDEX i;\n-- migrate:up\nSELECT 2;\n"),
        ("1_a.sql", "-- migrate:up\nCREATE TABLE a (a int);\n\n-- migrate:down\nDROP TABLE a;\n"),
    ]), @r#"
    dbmate
    1 "a": CREATE TABLE a (a int)
    2 "b" (no transaction): CREATE INDEX CONCURRENTLY i ON a (a) | SELECT 2
    "#);
    assert_snapshot!(check(&[("1_a.sql", "-- migrate:up\nSELECT 1;"), ("2_b.sql", "CREATE TABLE b (a int);")]), @"m/2_b.sql: dbmate wants nothing but comments before `-- migrate:up`");
    assert_snapshot!(check(&[("1_a.sql", "-- migrate:up\nSELECT 1;"), ("2_b.sql", "SELECT 0;\n-- migrate:up\nSELECT 1;")]), @"m/2_b.sql: dbmate wants nothing but comments before `-- migrate:up`");
}

#[test]
fn golang_migrate() {
    let pair = [("1_a.up.sql", "CREATE TABLE a (a int);"), ("1_a.down.sql", "DROP TABLE a;")];
    assert_snapshot!(check(&[("go.mod", ""), pair[0], pair[1], ("10_c.up.sql", "SELECT 3;"), ("9_b.up.sql", "SELECT 2;")]), @r#"
    golang-migrate
    1 "a": CREATE TABLE a (a int)
    9 "b": SELECT 2
    10 "c": SELECT 3
    "#);
    // The names alone do not tell it from sqlx.
    assert_snapshot!(check(&pair), @"m is ambiguous: `.up.sql` and `.down.sql` are names of sqlx and of golang-migrate; say which one with --convention");
    assert_snapshot!(check(&[("sqlx.toml", ""), pair[0], pair[1]]), @r#"
    sqlx
    1 "a": CREATE TABLE a (a int)
    "#);
}

#[test]
fn goose() {
    assert_snapshot!(check(&[
        ("00002_b.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n-- +goose StatementBegin\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;\n-- +goose StatementEnd\nSELECT 2;\n-- +goose Down\nDROP FUNCTION f();\n"),
        ("00001_a.sql", "-- +goose up\nCREATE TABLE a (a int);\n-- +goose down\nDROP TABLE a;\n"),
        ("00003_c.go", "package migrations\n"),
        ("00003_c_test.go", "package migrations\n"),
    ]), @r#"
    goose
    1 "a": CREATE TABLE a (a int)
    2 "b" (no transaction): CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$ | SELECT 2
    3 "c" (Go):
    "#);
    assert_snapshot!(check(&[("1_a.sql", "-- +goose Up\n-- +goose ENVSUB ON\nCREATE TABLE ${NAME} (a int);\n")]), @"m/1_a.sql:3:14: nothing says what ${NAME} stands for; pass --placeholder NAME=VALUE");
    assert_snapshot!(check(&[("1_a.sql", "-- +goose Up\nSELECT '${NAME}';\n")]), @r#"
    goose
    1 "a": SELECT '${NAME}'
    "#);
    assert_snapshot!(check(&[("1_a.sql", "-- +goose Up\nSELECT 1;\n-- +goose Sideways\n")]), @"m/1_a.sql: `-- +goose sideways` is no annotation of goose");
}

#[test]
fn sqitch() {
    let plan = "%syntax-version=1.0.0\n%project=shop\n\nusers 2024-01-01T00:00:00Z A <a@b> # first\n\
                fn [users] 2024-01-02T00:00:00Z A <a@b> # a function\n@v1 2024-01-03T00:00:00Z A <a@b> # release\n\
                fn [fn@v1] 2024-01-04T00:00:00Z A <a@b> # reworked\n";
    assert_snapshot!(check(&[
        ("sqitch.plan", plan),
        ("deploy/users.sql", "BEGIN;\nCREATE TABLE users (id int);\nCOMMIT;\n"),
        ("deploy/fn.sql", "SELECT 'new';"),
        ("deploy/fn@v1.sql", "SELECT 'old';"),
        ("revert/users.sql", "DROP TABLE users;"),
    ]), @r#"
    sqitch
    users "users": BEGIN | CREATE TABLE users (id int) | COMMIT
    fn@v1 "fn": SELECT 'old'
    fn "fn": SELECT 'new'
    "#);
    assert_snapshot!(check(&[("sqitch.plan", plan), ("deploy/users.sql", "")]), @"m/sqitch.plan: it lists fn, and deploy/fn@v1.sql is not there");
}

#[test]
fn prisma() {
    assert_snapshot!(check(&[
        ("20240102_b/migration.sql", "SELECT 2;"),
        ("20240101_a/migration.sql", "CREATE TABLE \"User\" (id int);"),
        ("migration_lock.toml", "provider = \"postgresql\"\n"),
    ]), @r#"
    prisma
    20240101_a "a": CREATE TABLE "User" (id int)
    20240102_b "b": SELECT 2
    "#);
}

#[test]
fn atlas() {
    assert_snapshot!(check(&[
        ("atlas.sum", "h1:x\n"),
        ("20240101_a.sql", "-- atlas:delimiter \\n\\n\\n\n\nCREATE TABLE a (a int);\n\n\nSELECT 1;\n"),
        ("20240102_b.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON a (a);\n"),
        ("20240103_all.sql", "-- atlas:checkpoint\n\nCREATE TABLE a (a int);\n"),
    ]), @r#"
    atlas
    20240101 "a": CREATE TABLE a (a int) | SELECT 1
    20240102 "b" (no transaction): CREATE INDEX CONCURRENTLY i ON a (a)
    "#);
}

#[test]
fn liquibase() {
    assert_snapshot!(check(&[(
        "changelog.sql",
        "--liquibase formatted sql\n\n--changeset bob:1\nCREATE TABLE a (a int);\n--rollback DROP TABLE a;\n\n\
         --changeset \"bob smith\":\"two words\" runInTransaction:false\nCREATE INDEX CONCURRENTLY i ON a (a);\n\
         --changeset bob:3 dbms:mysql\nSELECT 'not here';\n\
         --changeset bob:4 endDelimiter:\\n/ splitStatements:true\nSELECT 1\n/\nSELECT 2\n/\n",
    )]), @r#"
    liquibase
    changelog.sql::1::bob "1": CREATE TABLE a (a int)
    changelog.sql::two words::bob smith "two words" (no transaction): CREATE INDEX CONCURRENTLY i ON a (a)
    changelog.sql::4::bob "4": SELECT 1 | SELECT 2
    "#);
    assert_snapshot!(check(&[("a.sql", "--liquibase formatted sql\n--changeset bob\nSELECT 1;\n")]), @"m/a.sql: `--changeset bob` names no author and id (`--changeset author:id`)");
    assert_snapshot!(check(&[("a.sql", "--liquibase formatted sql\n--changeset b:1\nSELECT 1;\n--changeset b:1\nSELECT 2;\n")]), @"version a.sql::1::b twice: a.sql and a.sql; rename one of them");
}

#[test]
fn drizzle() {
    let journal = r#"{"version":"7","dialect":"postgresql","entries":[{"idx":1,"when":2,"tag":"0001_b","breakpoints":true},{"idx":0,"when":1,"tag":"0000_a","breakpoints":true}]}"#;
    let files = [
        ("meta/_journal.json", journal),
        ("0000_a.sql", "CREATE TABLE a (a int);\n--> statement-breakpoint\nSELECT 1;"),
        ("0001_b.sql", "SELECT 2;"),
    ];
    assert_snapshot!(check(&files), @r#"
    drizzle
    0000_a "a": CREATE TABLE a (a int) | SELECT 1
    0001_b "b": SELECT 2
    "#);
    assert_snapshot!(check(&files[..2]), @"m/meta/_journal.json: it lists 0001_b.sql, which is not there");
    assert_snapshot!(check(&[&files[..], &[("0002_c.sql", "SELECT 3;")]].concat()), @"m/meta/_journal.json: it does not list 0002_c.sql; Drizzle would never run it");
    assert_snapshot!(check(&[("1_a/migration.sql", "SELECT 1;"), ("1_a/snapshot.json", "{}")]), @r#"
    drizzle
    1_a "a": SELECT 1
    "#);
}

#[test]
fn rails() {
    assert_snapshot!(check(&[
        ("structure.sql", "CREATE TABLE a (a int);\nINSERT INTO \"schema_migrations\" (version) VALUES\n('20240102'),\n('20240101');\n"),
        ("migrate/20240101_a.rb", "class A < ActiveRecord::Migration[7.1]\nend\n"),
        ("migrate/20240103_c.sql", "ALTER TABLE a ADD b int;"),
        ("migrate/20240104_d.rb", "class D < ActiveRecord::Migration[7.1]\nend\n"),
    ]), @r#"
    rails
    20240102 "structure": CREATE TABLE a (a int) | INSERT INTO "schema_migrations" (version) VALUES ('20240102'), ('20240101')
    20240103 "c": ALTER TABLE a ADD b int
    20240104 "d" (Ruby):
    "#);
}

#[test]
fn alembic() {
    assert_snapshot!(check(&[(
        "upgrade.sql",
        "BEGIN;\n\nCREATE TABLE alembic_version (\n    version_num VARCHAR(32) NOT NULL\n);\n\n\
         -- Running upgrade  -> 1975ea83b712\n\nCREATE TABLE account (\n    id SERIAL NOT NULL\n);\n\n\
         INSERT INTO alembic_version (version_num) VALUES ('1975ea83b712') RETURNING alembic_version.version_num;\n\n\
         -- Running upgrade 1975ea83b712 -> ae1027a6acf\n\nALTER TABLE account ADD COLUMN seen TIMESTAMP;\n\n\
         UPDATE alembic_version SET version_num='ae1027a6acf' WHERE alembic_version.version_num = '1975ea83b712';\n\nCOMMIT;\n",
    )]), @r#"
    alembic
    1975ea83b712 "1975ea83b712": CREATE TABLE account (     id SERIAL NOT NULL )
    ae1027a6acf "ae1027a6acf": ALTER TABLE account ADD COLUMN seen TIMESTAMP | COMMIT
    "#);
}
