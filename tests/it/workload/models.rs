//! Models imply queries: each by name and verb.

use super::load;

#[test]
fn prisma() {
    let schema = r#"
datasource db { 
  provider = "postgresql"
}
enum Role {
  ADMIN
}
model User {
  id    Int    @id @default(autoincrement())
  email String @unique // "x" @id
  name  String? @map("full_name")
  role  Role   @default(ADMIN)
  made  DateTime @default(now())
  posts Post[]
  old   String @ignore
  box   Unsupported("box")?
  tags  Tag[]
  @@map("users")
  @@schema("app")
}
model Post {
  a      Int
  b      String @default(dbgenerated("gen_random_uuid()")) @db.Uuid
  user   User @relation(fields: [a], references: [id])
  @@id([a, b])
}
model Tag {
  id    Int @id
  users User[]
}
view Recent {
  email String
}
model Keyless {
  note String
}"#;
    insta::assert_snapshot!(load(&[("prisma/schema.prisma", schema)], "."), @r#"
    8:7 User.select (implied): SELECT "id", "email", "full_name", "role", "made" FROM "app"."users"
    8:7 User.insert (implied): INSERT INTO "app"."users" ("email", "full_name", "role", "made") VALUES ($1, $2, $3, $4) RETURNING "id"
    8:7 User.update (implied): UPDATE "app"."users" SET "email" = $1, "full_name" = $2, "role" = $3, "made" = $4 WHERE "id" = $5
    8:7 User.delete (implied): DELETE FROM "app"."users" WHERE "id" = $1
    21:7 Post.select (implied): SELECT "a", "b" FROM "Post"
    21:7 Post.insert (implied): INSERT INTO "Post" ("a") VALUES ($1) RETURNING "a", "b"
    21:7 Post.delete (implied): DELETE FROM "Post" WHERE "a" = $1 AND "b" = $2
    27:7 Tag.select (implied): SELECT "id" FROM "Tag"
    27:7 Tag.insert (implied): INSERT INTO "Tag" ("id") VALUES ($1) RETURNING "id"
    27:7 Tag.delete (implied): DELETE FROM "Tag" WHERE "id" = $1
    31:6 Recent.select (implied): SELECT "email" FROM "Recent"
    34:7 Keyless.select (implied): SELECT "note" FROM "Keyless"
    34:7 Keyless.insert (implied): INSERT INTO "Keyless" ("note") VALUES ($1)
    partial-workload: model Keyless has no key, so no UPDATE and DELETE are implied
    partial-workload: the table _TagToUser of a many-to-many relation has no model, so no query on it is implied
    "#);
    insta::assert_snapshot!(load(&[("schema.prisma", "datasource db {\n  provider = \"mysql\"\n}\nmodel T {\n  id Int @id\n}")], "schema.prisma"), @r#"
    4:7 T.select (implied): SELECT "id" FROM "T"
    4:7 T.insert (implied): INSERT INTO "T" ("id") VALUES ($1) RETURNING "id"
    4:7 T.delete (implied): DELETE FROM "T" WHERE "id" = $1
    partial-workload: the models are for another database: provider = "mysql"
    "#);
}

#[test]
fn diesel() {
    let schema = r#"
// @generated automatically by Diesel CLI.
pub mod sql_types { #[derive(diesel::sql_types::SqlType)] pub struct Mood; }
diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::Mood;

    /// People.
    users (id) {
        id -> Int8,
        /// What they are called, {really}.
        #[max_length = 20]
        name -> Nullable<Varchar>,
        #[sql_name = "type"]
        type_ -> Mood,
        scores -> Array<Nullable<Int4>>,
    }
}
table! {
    app.members (user_id, org) {
        user_id -> Int8,
        org -> Text,
    }
}
diesel::joinable!(members -> users (user_id));
"#;
    insta::assert_snapshot!(load(&[("src/schema.rs", schema)], "."), @r#"
    9:5 users.select (implied): SELECT "id", "name", "type", "scores" FROM "users"
    9:5 users.insert (implied): INSERT INTO "users" ("name", "type", "scores") VALUES ($1, $2, $3) RETURNING "id"
    9:5 users.update (implied): UPDATE "users" SET "name" = $1, "type" = $2, "scores" = $3 WHERE "id" = $4
    9:5 users.delete (implied): DELETE FROM "users" WHERE "id" = $1
    20:5 members.select (implied): SELECT "user_id", "org" FROM "app"."members"
    20:5 members.insert (implied): INSERT INTO "app"."members" ("user_id", "org") VALUES ($1, $2) RETURNING "user_id", "org"
    20:5 members.delete (implied): DELETE FROM "app"."members" WHERE "user_id" = $1 AND "org" = $2
    "#);
    insta::assert_snapshot!(load(&[("schema.rs", "pub struct X;")], "diesel:schema.rs"), @"error: no queries in schema.rs: there is no table! in schema.rs");
}

#[test]
fn active_record() {
    let schema = r#"
ActiveRecord::Schema[7.1].define(version: 2024_01_01_000000) do
  enable_extension "plpgsql"

  create_table "users", id: :uuid, default: -> { "gen_random_uuid()" }, force: :cascade do |t|
    t.string "name", limit: 20, default: "a, \"b\"", null: false
    t.virtual "upper_name", type: :string, as: "upper((name)::text)", stored: true
    t.datetime "created_at", null: false
    t.index ["name"], name: "index_users_on_name"
  end

  create_table "orders_users", id: false, force: :cascade do |t|
    t.bigint "order_id"
    t.column "mood", "mood"
    strange "x"
  end

  create_table "visits", primary_key: ["a", "b"], force: :cascade do |t|
    t.integer "a", null: false
    t.integer "b", null: false
  end

  add_foreign_key "orders_users", "orders"
end
"#;
    insta::assert_snapshot!(load(&[("db/schema.rb", schema)], "."), @r#"
    5:17 users.select (implied): SELECT "id", "name", "upper_name", "created_at" FROM "users"
    5:17 users.insert (implied): INSERT INTO "users" ("name", "created_at") VALUES ($1, $2) RETURNING "id"
    5:17 users.update (implied): UPDATE "users" SET "name" = $1, "created_at" = $2 WHERE "id" = $3
    5:17 users.delete (implied): DELETE FROM "users" WHERE "id" = $1
    12:17 orders_users.select (implied): SELECT "order_id", "mood" FROM "orders_users"
    12:17 orders_users.insert (implied): INSERT INTO "orders_users" ("order_id", "mood") VALUES ($1, $2)
    18:17 visits.select (implied): SELECT "a", "b" FROM "visits"
    18:17 visits.insert (implied): INSERT INTO "visits" ("a", "b") VALUES ($1, $2) RETURNING "a", "b"
    18:17 visits.delete (implied): DELETE FROM "visits" WHERE "a" = $1 AND "b" = $2
    partial-workload: a line of create_table is not understood: strange "x"
    partial-workload: model orders_users has no key, so no UPDATE and DELETE are implied
    "#);
    let structure = "CREATE TABLE public.schema_migrations (version varchar NOT NULL);
CREATE TABLE public.users (id bigint NOT NULL, name text, up text GENERATED ALWAYS AS (upper(name)) STORED);
CREATE SEQUENCE public.users_id_seq;
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE VIEW public.names AS SELECT name FROM public.users;
NONSENSE;";
    insta::assert_snapshot!(load(&[("db/structure.sql", structure)], "."), @r#"
    2:1 users.select (implied): SELECT "id", "name", "up" FROM "users"
    2:1 users.insert (implied): INSERT INTO "users" ("name") VALUES ($1) RETURNING "id"
    2:1 users.update (implied): UPDATE "users" SET "name" = $1 WHERE "id" = $2
    2:1 users.delete (implied): DELETE FROM "users" WHERE "id" = $1
    6:1 names.select (implied): SELECT "name" FROM "names"
    "#);
}

#[test]
fn generated_code_of_sqlc() {
    let go = "// Code generated by sqlc. DO NOT EDIT.\npackage db\n\nconst getAuthor = `-- name: GetAuthor :one\nSELECT id, name FROM authors\nWHERE id = $1 LIMIT 1\n`\n\ntype GetAuthorRow struct {}\nconst open = `-- name: Open :exec\nDELETE FROM authors";
    insta::assert_snapshot!(load(&[("db/query.sql.go", go)], "."), @r#"
    4:20 GetAuthor: -- name: GetAuthor :one SELECT id, name FROM authors WHERE id = $1 LIMIT 1
    10:15 Open: -- name: Open :exec DELETE FROM authors
    unread-query: query Open cannot be read: its constant is never closed
    "#);
    let python = "# Code generated by sqlc. DO NOT EDIT.\nGET = \"\"\"-- name: get_author \\\\:one\nSELECT id, name\\\\:\\\\:text FROM authors WHERE id = :p1\n\"\"\"\n";
    let kotlin = "// Code generated by sqlc. DO NOT EDIT.\nconst val add = \"\"\"-- name: add :exec\nINSERT INTO authors (id, name) VALUES (?, ?)\n\"\"\"\n";
    let typescript = "// Code generated by sqlc. DO NOT EDIT.\nexport const q = `-- name: Q :many\nSELECT name FROM authors WHERE id = ANY($1::int[])`;\n";
    let files =
        [("a.py", python), ("b.kt", kotlin), ("c.ts", typescript), ("d.ts", "// hand written\nconst x = `SELECT 1`;")];
    insta::assert_snapshot!(load(&files, "sqlc:."), @r#"
    2:10 get_author: -- name: get_author :one SELECT id, name::text FROM authors WHERE id = $1
    2:20 add: -- name: add :exec INSERT INTO authors (id, name) VALUES ($1, $2)
    2:19 Q: -- name: Q :many SELECT name FROM authors WHERE id = ANY($1::int[])
    "#);
}
