//! Small releases that were judged wrongly once, each with a twin where there is one: whether the plan is safe, and what it says.

use cutover::diagnostic::Severity;
use cutover::migrations::{Convention, Folder, Pending};
use cutover::plan::saved::{Phase, Verdict};
use cutover::plan::{Request, plan};
use cutover::workload::Workload;

/// A release: the schema before, the migration, and the queries of both versions.
struct Case {
    base: &'static str,
    release: &'static str,
    blue: &'static str,
    green: &'static str,
}

/// `safe` or the codes of the errors, then the codes of the warnings, then the steps: `<` before the cutover, `>` after it.
fn judged(case: &Case) -> String {
    let files = [("1.sql".into(), case.base.to_owned()), ("2.sql".into(), case.release.to_owned())];
    let folder = Folder::from_files(Convention::Plain, files).unwrap();
    let (applied, pending) = folder.migrations.split_at(1);
    let pending = Pending { applied: applied.to_vec(), pending: pending.to_vec() };
    let workload = |name: &str, text: &str| {
        let (found, unread) = Workload::from_text(name, text);
        assert!(unread.is_empty(), "{text}: {unread:?}");
        (!text.is_empty()).then_some(found)
    };
    let (blue, green) = (workload("blue.sql", case.blue), workload("green.sql", case.green));
    let planned = plan(Request { blue: blue.as_ref(), green: green.as_ref(), ..Request::new(&folder, &pending) });
    let of = |severity: Severity| -> Vec<&str> {
        let cost = |id: &str| id.starts_with("CO4") && id != "CO411" && id != "CO413";
        let mut found: Vec<&str> = planned
            .diagnostics
            .iter()
            .filter(|d| d.severity == severity)
            .map(|d| d.code.id)
            .filter(|id| !cost(id))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let mut said = of(Severity::Error);
    assert_eq!(said.is_empty(), planned.plan.verdict == Verdict::Safe);
    if said.is_empty() {
        said.push("safe");
    }
    let warnings = of(Severity::Warning);
    let steps = planned.plan.steps.iter().map(|step| if step.phase == Phase::Before { '<' } else { '>' });
    let mut text = said.join(" ");
    if !warnings.is_empty() {
        text.push_str(&format!(" ({})", warnings.join(" ")));
    }
    format!("{text} {}", steps.collect::<String>())
}

pub(super) fn check(
    base: &'static str,
    release: &'static str,
    blue: &'static str,
    green: &'static str,
    expected: &str,
) {
    let case = Case { base, release, blue, green };
    assert_eq!(judged(&case), expected, "{release}\nblue:  {blue}\ngreen: {green}");
}

pub(super) const ONE: &str = "SELECT 1;";

#[test]
fn bodies_of_functions_are_held_against_the_schema() {
    const CATEGORY: &str = "CREATE TABLE category (id int PRIMARY KEY, name text);";
    const ADD: &str = "ALTER TABLE category ADD COLUMN extra int;";
    const EXTRA: &str = "SELECT extra FROM category;";
    let with = |body: &str| -> &'static str { format!("{CATEGORY} {body}").leak() };
    // Rows of the table, written column by column.
    let fixed = with("CREATE FUNCTION f() RETURNS SETOF category LANGUAGE sql AS 'SELECT id, name FROM category';");
    check(fixed, ADD, "SELECT id FROM f();", EXTRA, "CO102 >");
    check(fixed, ADD, ONE, EXTRA, "safe <");
    // The columns that it says, of whatever the table has.
    let all = with(
        "CREATE FUNCTION f() RETURNS TABLE (id int, name text) LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT * FROM category; END $$;",
    );
    check(all, ADD, "SELECT id FROM f();", EXTRA, "CO102 >");
    let rows = with(
        "CREATE FUNCTION f() RETURNS SETOF category LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT * FROM category; END $$;",
    );
    check(rows, ADD, "SELECT id FROM f();", EXTRA, "safe <");
    // An argument that is called like the new column.
    let argument = with(
        "CREATE FUNCTION f(extra text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT id FROM category WHERE name = extra); END $$;",
    );
    check(argument, ADD, "SELECT f($1);", EXTRA, "CO102 >");
    let silent =
        with("CREATE FUNCTION f(extra text) RETURNS int LANGUAGE sql AS 'SELECT id FROM category WHERE name = extra';");
    check(silent, ADD, "SELECT f($1);", EXTRA, "CO102 >");
    let qualified = with(
        "CREATE FUNCTION f(extra text) RETURNS int LANGUAGE sql AS 'SELECT id FROM category WHERE name = f.extra';",
    );
    check(qualified, ADD, "SELECT f($1);", EXTRA, "safe <");
}

#[test]
fn green_relies_on_what_its_writes_set_off() {
    const BASE: &str = "CREATE SCHEMA auth; CREATE TABLE auth.users (id int PRIMARY KEY, mail text); CREATE TABLE profiles (id int, email text);
        CREATE FUNCTION copy_user() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
        BEGIN INSERT INTO public.profiles (id, email) VALUES (NEW.id, NEW.mail); RETURN NEW; END $$;
        CREATE TRIGGER on_user AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION copy_user();";
    const ADD: &str = "INSERT INTO auth.users (id, mail) VALUES ($1, $2);";
    check(BASE, "ALTER TABLE profiles DROP COLUMN email;", ADD, ADD, "CO203 (CO307) >");
    // The function is written for what comes.
    let both = "CREATE OR REPLACE FUNCTION copy_user() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.profiles (id) VALUES (NEW.id); RETURN NEW; END $$;
        ALTER TABLE profiles DROP COLUMN email;";
    check(BASE, both, ADD, ADD, "safe (CO301) <>");
    // One transaction, or writes fail in between.
    let gone = "ALTER TABLE profiles DROP COLUMN email; DROP FUNCTION copy_user() CASCADE;";
    check(BASE, gone, ADD, ADD, "safe >");
}

#[test]
fn rows_of_the_overlap_are_not_lost() {
    const SHOP: &str = "CREATE TABLE shop (id int PRIMARY KEY, name text);";
    const BLUE: &str = "INSERT INTO shop (id, name) VALUES ($1, $2);";
    const GREEN: &str = "INSERT INTO shop (id, name, code) VALUES ($1, $2, $3);";
    let helper = "ALTER TABLE shop ADD COLUMN code text; CREATE TABLE codes (shop_id int, code text);
        INSERT INTO codes SELECT id, 'c' || id FROM shop;
        UPDATE shop SET code = codes.code FROM codes WHERE codes.shop_id = shop.id AND shop.code IS NULL;
        ALTER TABLE shop ALTER COLUMN code SET NOT NULL;";
    check(SHOP, helper, BLUE, GREEN, "CO303 <<<<>");
    let plain = "ALTER TABLE shop ADD COLUMN code text; UPDATE shop SET code = 'c' || id; ALTER TABLE shop ALTER COLUMN code SET NOT NULL;";
    check(SHOP, plain, BLUE, GREEN, "CO303 <<>");
    check(SHOP, plain, ONE, GREEN, "safe <<>");
    // The way out that is named.
    let again = "ALTER TABLE shop ADD COLUMN code text; UPDATE shop SET code = 'c' || id WHERE code IS NULL; ALTER TABLE shop ALTER COLUMN code SET NOT NULL;";
    check(SHOP, again, BLUE, GREEN, "safe <<>>");
    let later = "ALTER TABLE shop ADD COLUMN code text;\n-- cutover: after green fills it itself until then\nUPDATE shop SET code = 'c' || id;\nALTER TABLE shop ALTER COLUMN code SET NOT NULL;";
    check(SHOP, later, BLUE, GREEN, "safe <>>");
    // A table that is copied and dropped.
    let copied = "CREATE TABLE store (id int PRIMARY KEY, name text); INSERT INTO store SELECT id, name FROM shop; DROP TABLE shop;";
    check(SHOP, copied, BLUE, "INSERT INTO store (id, name) VALUES ($1, $2);", "CO303 <<>");
    let kept = "CREATE TABLE store (id int PRIMARY KEY, name text); INSERT INTO store SELECT id, name FROM shop;";
    check(SHOP, kept, BLUE, "INSERT INTO store (id, name) VALUES ($1, $2);", "safe (CO303) <<");
    check(SHOP, kept, "SELECT id FROM shop;", ONE, "safe <<");
    // CREATE TABLE AS copies, too; nobody misses rows in a copy that nobody uses.
    let helper = "ALTER TABLE shop ADD COLUMN code text; CREATE TABLE codes AS SELECT id, name FROM shop;
        UPDATE shop SET code = (SELECT c.name FROM codes c WHERE c.id = shop.id) WHERE code IS NULL;";
    check(SHOP, helper, BLUE, GREEN, "safe (CO303) <<<>");
    let made = "CREATE TABLE store AS SELECT id, name FROM shop; DROP TABLE shop;";
    check(SHOP, made, BLUE, "INSERT INTO store (id, name) VALUES ($1, $2);", "CO303 <>");
    let backup = "CREATE TABLE backup AS SELECT * FROM shop; ALTER TABLE shop DROP COLUMN name;";
    check(SHOP, backup, BLUE, "INSERT INTO shop (id) VALUES ($1);", "safe <>");
    // A helper that is gone when the backfill runs again.
    let dropped = "ALTER TABLE shop ADD COLUMN code text; CREATE TABLE codes AS SELECT 1 AS id, 'x'::text AS code;
        UPDATE shop SET code = (SELECT c.code FROM codes c WHERE c.id = shop.id) WHERE code IS NULL; DROP TABLE codes;";
    check(SHOP, dropped, BLUE, GREEN, "safe (CO303) <<<<");
    // A temporary table goes with its session.
    let temporary =
        "ALTER TABLE shop ADD COLUMN code text; CREATE TEMP TABLE codes AS SELECT id, 'x'::text AS code FROM shop;
        UPDATE shop SET code = c.code FROM codes c WHERE c.id = shop.id AND shop.code IS NULL; DROP TABLE codes;";
    check(SHOP, temporary, BLUE, GREEN, "safe (CO303) <<");
}

#[test]
fn there_is_only_one_of_some_things() {
    const STOCK: &str = "CREATE TABLE stock (sku text, n int, CONSTRAINT stock_key PRIMARY KEY (sku));";
    let swap =
        "ALTER TABLE stock ADD COLUMN place text NOT NULL DEFAULT 'x'; ALTER TABLE stock DROP CONSTRAINT stock_key;
        ALTER TABLE stock ADD CONSTRAINT new_key PRIMARY KEY (sku, place);";
    check(
        STOCK,
        swap,
        "INSERT INTO stock (sku, n) VALUES ($1, $2);",
        "INSERT INTO stock (sku, n, place) VALUES ($1, $2, $3);",
        "safe <<<",
    );
    let upsert = "INSERT INTO stock (sku, n) VALUES ($1, $2) ON CONFLICT (sku) DO NOTHING;";
    let other = "INSERT INTO stock (sku, n, place) VALUES ($1, $2, $3) ON CONFLICT (sku, place) DO NOTHING;";
    check(STOCK, swap, upsert, other, "CO103 (CO310) <<>");
    const PARTS: &str =
        "CREATE TABLE p (id int, at date) PARTITION BY RANGE (at); CREATE TABLE rest PARTITION OF p DEFAULT;";
    let rest = "ALTER TABLE p DETACH PARTITION rest; CREATE TABLE rest2 PARTITION OF p DEFAULT;";
    check(PARTS, rest, "SELECT id FROM p;", "SELECT id FROM p;", "safe >>");
    // A name that a rename frees.
    const CHUNKS: &str =
        "CREATE TABLE chunks (id int PRIMARY KEY, kind text, n int); CREATE INDEX chunks_key ON chunks (kind);";
    let by_rename = "ALTER INDEX chunks_key RENAME TO chunks_old; CREATE INDEX chunks_key ON chunks (kind, n); DROP INDEX chunks_old;";
    check(
        CHUNKS,
        by_rename,
        "SELECT id FROM chunks WHERE kind = $1;",
        "SELECT id FROM chunks WHERE kind = $1;",
        "safe <<<",
    );
    let made_up = "DROP INDEX tokens_session_idx; CREATE UNIQUE INDEX ON tokens (session) WHERE n IS NULL;";
    check(
        "CREATE TABLE tokens (id int PRIMARY KEY, session int, n int); CREATE UNIQUE INDEX ON tokens (session) WHERE n > 1;",
        made_up,
        "SELECT id FROM tokens;",
        "SELECT id FROM tokens;",
        "safe >>",
    );
    // Of that name, and not what is wanted.
    const VERSIONS: &str = "CREATE TABLE a (v int); CREATE UNIQUE INDEX by_v ON a (v);";
    let taken = "CREATE TABLE b (v int); CREATE UNIQUE INDEX IF NOT EXISTS by_v ON b (v);";
    check(VERSIONS, taken, ONE, "INSERT INTO b (v) VALUES ($1) ON CONFLICT (v) DO NOTHING;", "CO013 (CO413) <<");
}

#[test]
fn steps_stand_on_what_they_need_and_on_nothing_else() {
    const TASKS: &str = "CREATE TYPE state AS ENUM ('open'); CREATE TABLE tasks (id int PRIMARY KEY, s state); CREATE TABLE old (id int, s state);";
    check(
        TASKS,
        "DROP TABLE old; ALTER TYPE state ADD VALUE 'done';",
        "SELECT id FROM old;",
        "INSERT INTO tasks VALUES (1, 'done');",
        "safe <>",
    );
    check(
        TASKS,
        "DROP TABLE old; ALTER TABLE tasks ADD COLUMN key uuid DEFAULT gen_random_uuid();",
        "SELECT id FROM old;",
        "SELECT key FROM tasks;",
        "safe <>",
    );
    const AUDIT: &str =
        "CREATE TABLE ban (id int PRIMARY KEY, reason text); CREATE TABLE audit (id serial PRIMARY KEY, reason text);";
    let parent = "UPDATE ban SET reason = '' WHERE reason IS NULL; ALTER TABLE ban ALTER COLUMN reason SET NOT NULL; INSERT INTO audit (reason) SELECT reason FROM ban;
        ALTER TABLE audit ADD COLUMN parent int REFERENCES audit (id);";
    check(AUDIT, parent, "INSERT INTO ban (id) VALUES (1);", "SELECT parent FROM audit;", "safe <<>>>");
    const LINKS: &str = "CREATE TABLE links (id int PRIMARY KEY, template int NOT NULL, envelope int); CREATE UNIQUE INDEX by_template ON links (template);";
    let drop = "DROP INDEX by_template; UPDATE links SET envelope = template WHERE envelope IS NULL; ALTER TABLE links DROP COLUMN template;";
    check(
        LINKS,
        drop,
        "INSERT INTO links (id, template) VALUES ($1, $2) ON CONFLICT (template) DO NOTHING;",
        "INSERT INTO links (id, envelope) VALUES ($1, $2);",
        "safe (CO301) <<>>>",
    );
}

#[test]
fn rows_that_cannot_collide_hold_no_index_back() {
    const ARTICLE: &str = "CREATE TABLE article (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, url text, title text, state text DEFAULT 'new');";
    const BLUE: &str = "INSERT INTO article (title) VALUES ($1);";
    const PUT: &str =
        "INSERT INTO article (url, title) VALUES ($1, $2) ON CONFLICT (url) DO UPDATE SET title = excluded.title;";
    check(ARTICLE, "CREATE UNIQUE INDEX by_url ON article (url);", BLUE, PUT, "safe <");
    check(
        ARTICLE,
        "CREATE UNIQUE INDEX by_url ON article (url);",
        "INSERT INTO article (url) VALUES ($1);",
        PUT,
        "CO102 >",
    );
    check(ARTICLE, "CREATE UNIQUE INDEX by_url ON article (url) NULLS NOT DISTINCT;", BLUE, PUT, "CO102 >");
    let partial = "CREATE UNIQUE INDEX once ON article (title) WHERE state = 'first';";
    let first =
        "INSERT INTO article (title, state) VALUES ($1, 'first') ON CONFLICT (title) WHERE state = 'first' DO NOTHING;";
    check(ARTICLE, partial, "INSERT INTO article (title, state) VALUES ($1, 'later');", first, "safe <");
    check(ARTICLE, partial, "INSERT INTO article (title, state) VALUES ($1, $2);", first, "CO102 >");
    // Its author's word on what depends on values.
    let word = "-- cutover: before no two of blue's are first\nCREATE UNIQUE INDEX once ON article (title) WHERE state = 'first';";
    check(ARTICLE, word, "INSERT INTO article (title, state) VALUES ($1, $2);", first, "safe (CO201) <");
    const PETS: &str = "CREATE TABLE owner (id int PRIMARY KEY); CREATE TABLE pet (id int PRIMARY KEY, owner int REFERENCES owner ON DELETE CASCADE, kind text);";
    let kind = "CREATE UNIQUE INDEX pet_kind ON pet (kind);";
    check(
        PETS,
        kind,
        "DELETE FROM owner WHERE id = $1;",
        "INSERT INTO pet (id, kind) VALUES ($1, $2) ON CONFLICT (kind) DO NOTHING;",
        "safe <",
    );
}

#[test]
fn what_nobody_drops_by_name_is_missed_all_the_same() {
    const PARENT: &str = "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, parent int, CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parent ON DELETE CASCADE);";
    let both = "DELETE FROM child WHERE parent = $1;\nDELETE FROM parent WHERE id = $1;";
    check(PARENT, "ALTER TABLE child DROP CONSTRAINT fk;", "DELETE FROM parent WHERE id = $1;", both, "safe >");
    const ITEM: &str = "CREATE TABLE item (id int, sku text, CONSTRAINT item_pkey PRIMARY KEY (id)); CREATE PUBLICATION every FOR ALL TABLES;";
    let change = "UPDATE item SET sku = $2 WHERE id = $1;";
    check(ITEM, "ALTER TABLE item DROP CONSTRAINT item_pkey;", change, change, "CO203 >");
    check(
        ITEM,
        "ALTER TABLE item DROP CONSTRAINT item_pkey; ALTER TABLE item REPLICA IDENTITY FULL;",
        "INSERT INTO item VALUES ($1, $2);",
        "INSERT INTO item VALUES ($1, $2);",
        "safe <",
    );
    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, name text); CREATE TABLE orders (id int, u int);";
    let group = "SELECT u.id, u.name, count(*) FROM users u JOIN orders o ON o.u = u.id GROUP BY u.id;";
    check(USERS, "ALTER TABLE users DROP CONSTRAINT users_pkey;", group, group, "CO203 >");
    check(USERS, "ALTER TABLE users DROP CONSTRAINT users_pkey;", group, "SELECT id FROM users;", "safe >");
    const JOIN: &str = "CREATE TABLE a (id int, x int); CREATE TABLE b (id int, y int);";
    let natural = "SELECT id, x, y FROM a NATURAL JOIN b;";
    check(
        JOIN,
        "ALTER TABLE a ADD COLUMN at int; ALTER TABLE b ADD COLUMN at int;",
        natural,
        "SELECT at FROM a;\nSELECT at FROM b;",
        "CO201 <<",
    );
    const EVENT: &str = "CREATE TABLE event (id int, payload text);";
    check(
        EVENT,
        "ALTER TABLE event ADD COLUMN kind text;",
        "COPY event FROM STDIN;",
        "SELECT kind FROM event;",
        "CO102 >",
    );
    check(
        EVENT,
        "ALTER TABLE event ADD COLUMN kind text;",
        "COPY event (id, payload) FROM STDIN;",
        "SELECT kind FROM event;",
        "safe <",
    );
    const PATH: &str = "CREATE SCHEMA app; CREATE TABLE public.users (id int, name text); ALTER ROLE CURRENT_USER SET search_path = app, public;";
    check(
        PATH,
        "CREATE TABLE app.users (id int, mail text);",
        "SELECT name FROM users;",
        "SELECT mail FROM app.users;",
        "CO201 <",
    );
    const BY_PLACE: &str = "CREATE TABLE t (id int, b uuid, c text);";
    check(BY_PLACE, "ALTER TABLE t DROP COLUMN b;", ONE, "INSERT INTO t VALUES ($1, $2);", "CO202 >");
}

#[test]
fn what_one_transaction_must_do_is_one_step() {
    const REPLIES: &str = "CREATE TABLE topics (id int PRIMARY KEY, n int); CREATE TABLE replies (id int, topic int, hidden bool);
        CREATE FUNCTION up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE topics SET n = n + 1 WHERE id = NEW.topic; RETURN NULL; END $$;
        CREATE TRIGGER added AFTER INSERT ON replies FOR EACH ROW EXECUTE FUNCTION up();
        CREATE FUNCTION down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE topics SET n = n - 1 WHERE id = NEW.topic; RETURN NULL; END $$;
        CREATE TRIGGER hid AFTER UPDATE OF hidden ON replies FOR EACH ROW EXECUTE FUNCTION down();";
    let swap = "DROP TRIGGER hid ON replies; DROP FUNCTION down();
        CREATE OR REPLACE FUNCTION up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE topics SET n = n + CASE WHEN TG_OP = 'INSERT' THEN 1 ELSE -1 END WHERE id = NEW.topic; RETURN NULL; END $$;
        CREATE OR REPLACE TRIGGER added AFTER INSERT OR UPDATE OF hidden ON replies FOR EACH ROW EXECUTE FUNCTION up();";
    let write = "INSERT INTO replies VALUES ($1, $2, false);\nUPDATE replies SET hidden = true WHERE id = $1;";
    check(REPLIES, swap, write, write, "safe >");
    // The author's own transaction, around a part of the file or with a lock.
    const TABLES: &str = "CREATE TABLE a (id int); CREATE TABLE b (id int);";
    check(
        TABLES,
        "BEGIN; ALTER TABLE a ADD COLUMN x int; ALTER TABLE b ADD COLUMN x int; COMMIT;",
        ONE,
        ONE,
        "safe <<",
    );
    check(
        TABLES,
        "BEGIN; LOCK TABLE a; ALTER TABLE a ADD COLUMN x int; ALTER TABLE b ADD COLUMN x int; COMMIT;",
        ONE,
        ONE,
        "safe <",
    );
    check(
        TABLES,
        "CREATE TABLE c (); BEGIN; ALTER TABLE a ADD COLUMN x int; ALTER TABLE b ADD COLUMN x int; COMMIT;",
        ONE,
        ONE,
        "safe <<",
    );
    check(TABLES, "BEGIN; CREATE INDEX CONCURRENTLY i ON a (id); COMMIT;", ONE, ONE, "CO411 <");
}

#[test]
fn what_the_files_never_made_is_not_taken_for_harmless() {
    check(
        "CREATE TABLE t (a int);",
        "ALTER TABLE users DROP COLUMN name;",
        "SELECT name FROM users;",
        ONE,
        "CO006 (CO013) >",
    );
    check("CREATE TABLE t (a int);", "DROP TABLE IF EXISTS users;", ONE, ONE, "safe <");
    check("CREATE TABLE t (a int);", "-- cutover: before nobody has it\nDROP TABLE users;", ONE, ONE, "safe (CO006) <");
    check("CREATE TABLE t (a int);", "CREATE TABLE t (b int);", ONE, ONE, "CO006 <");
    check(
        "CREATE TABLE t (a int);",
        "DO $$ BEGIN CREATE TYPE e AS ENUM ('x'); EXCEPTION WHEN duplicate_object THEN null; END $$; ALTER TABLE t ADD COLUMN e e;",
        ONE,
        "SELECT e FROM t;",
        "safe <<",
    );
    check("CREATE TABLE t (a int);", "DO $$ BEGIN DELETE FROM t; END $$;", ONE, ONE, "CO101 >");
    // Queries that PostgreSQL takes.
    check(
        "CREATE TABLE bills (id int, tax int);",
        "ALTER TABLE bills DROP COLUMN tax;",
        "SELECT id FROM bills FOR NO KEY UPDATE;",
        "SELECT id FROM bills FOR KEY SHARE;",
        "safe >",
    );
    check(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int);",
        "ALTER TABLE t DROP COLUMN b;",
        "UPDATE t SET a = 1 RETURNING old.a, new.a;",
        ONE,
        "safe >",
    );
    const PUSH: &str = "CREATE FUNCTION push(k text, i text DEFAULT NULL, at timestamptz DEFAULT now()) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION push(k text, at timestamptz) RETURNS int LANGUAGE sql AS 'SELECT 2';";
    check(
        PUSH,
        "DROP FUNCTION push(text, text, timestamptz);",
        "SELECT push($1::text, now());",
        "SELECT push($1::text, now());",
        "safe >",
    );
    const TRANSFORM: &str =
        "CREATE FUNCTION tr(a int, b int, c float8 DEFAULT 0) RETURNS int LANGUAGE sql AS 'SELECT 1';";
    let overload = "CREATE FUNCTION tr(a int, b int, c text DEFAULT '') RETURNS int LANGUAGE sql AS 'SELECT 1';";
    check(TRANSFORM, overload, "SELECT tr($1::int, 1);", "SELECT tr($1::int, 1, $2::text);", "CO102 >");
    check(TRANSFORM, overload, "SELECT tr($1::int, 1, 0.5::float8);", "SELECT tr($1::int, 1, $2::text);", "safe <");
}

#[test]
fn triggers_run_for_what_they_say() {
    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, name text, seen timestamptz); CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen := now(); RETURN NEW; END'; CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();";
    let insert = "INSERT INTO users (id, name) VALUES ($1, $2);";
    // A trigger for UPDATE changes no row that comes.
    let index = "CREATE UNIQUE INDEX by_seen ON users (seen);";
    let put = "INSERT INTO users (id, seen) VALUES ($1, $2) ON CONFLICT (seen) DO NOTHING;";
    check(USERS, index, insert, put, "safe <");
    check(USERS, index, "UPDATE users SET seen = NULL WHERE id = $1;", put, "CO102 >");
    const COPY: &str = "ALTER TABLE users ADD COLUMN label text; CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.label := NEW.name; RETURN NEW; END'; CREATE TRIGGER fill BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION fill(); UPDATE users SET label = name;";
    let label = "SELECT label FROM users;";
    check(USERS, COPY, insert, label, "safe <<<<");
    check(USERS, COPY, "UPDATE users SET name = $1;", label, "safe (CO303) <<<<");
    check(USERS, COPY, "UPDATE users SET seen = $1;", label, "safe <<<<");
}

#[test]
fn keys_on_what_a_trigger_fills_wait() {
    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, name text);";
    const MAIL: &str = "ALTER TABLE users ADD COLUMN mail text; CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.mail := NEW.name; RETURN NEW; END'; CREATE TRIGGER fill BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION fill(); CREATE UNIQUE INDEX by_mail ON users (mail);";
    check(USERS, MAIL, "INSERT INTO users (id, name) VALUES ($1, $2);", "SELECT mail FROM users;", "safe <<<>");
    check(USERS, MAIL, "SELECT name FROM users;", "SELECT mail FROM users;", "safe <<<<");
    const PLAIN: &str = "ALTER TABLE users ADD COLUMN mail text; CREATE UNIQUE INDEX by_mail ON users (mail);";
    check(USERS, PLAIN, "INSERT INTO users (id, name) VALUES ($1, $2);", "SELECT mail FROM users;", "safe <<");
    // The same key, and a trigger that comes to it.
    const KEYED: &str = "CREATE TABLE users (id int PRIMARY KEY, name text, mail text UNIQUE); CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.mail := NEW.name; RETURN NEW; END';";
    let trigger = "CREATE TRIGGER fill BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION fill();";
    let green = "INSERT INTO users (id, name) VALUES ($1, $2);";
    check(KEYED, trigger, green, green, "safe (CO301) <");
    check(KEYED, trigger, "INSERT INTO users (id, mail) VALUES ($1, $2);", green, "safe <");
}

/// Rows of a migration that leave a column out wait until it is gone.
#[test]
fn rows_without_a_column_come_when_it_is_gone() {
    let after = |column: &str, expected: &str| {
        let base: &str = format!("CREATE TABLE t (id int NOT NULL, {column});").leak();
        let drop = "ALTER TABLE t DROP COLUMN x; INSERT INTO t (id) VALUES (1);";
        check(base, drop, ONE, ONE, expected);
    };
    after("x text NOT NULL", "safe >>");
    after("x text PRIMARY KEY", "safe >>");
    after("x text CHECK (x IS NOT NULL)", "safe >>");
    after("x text NOT NULL DEFAULT ''", "safe <>");
    after("x text", "safe <>");
}

/// What a trigger puts into a column in the end: by a function of another schema, and by the trigger of a table between.
#[test]
fn triggers_reach_a_column_by_others() {
    let shorter = "-- cutover: before it is so\nALTER TABLE orders ALTER COLUMN y TYPE varchar(5);";
    let tables = "CREATE TABLE a (id int, x varchar(40)); CREATE TABLE orders (id int, y varchar(50));";
    let (insert, green) = ("INSERT INTO a (id, x) VALUES ($1, $2);", "SELECT id FROM orders;");
    let called: &str = format!(
        "{tables} CREATE SCHEMA audit;
        CREATE FUNCTION audit.put(v text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.orders (y) VALUES (v); END $$;
        CREATE FUNCTION fa() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM audit.put(NEW.x); RETURN NEW; END $$;
        CREATE TRIGGER ta AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION fa();"
    )
    .leak();
    check(called, shorter, insert, green, "safe (CO201 CO301) <");
    let between = "CREATE TABLE b (id int, z varchar(40));
        CREATE FUNCTION fb() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO orders (y) VALUES (NEW.z); RETURN NEW; END $$;
        CREATE TRIGGER tb AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION fb();
        CREATE FUNCTION fa() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO b (z) VALUES (NEW.x); RETURN NEW; END $$;
        CREATE TRIGGER ta AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION fa();";
    let both: &str = format!("{between}\n{shorter}").leak();
    let said = |release: &'static str| judged(&Case { base: tables.to_owned().leak(), release, blue: insert, green });
    assert!(said(both).starts_with("safe (CO301)"), "{}", said(both));
    let apart: &str = format!("CREATE TABLE c (y int);\n{shorter}").leak();
    assert!(!said(apart).contains("CO301"), "{}", said(apart));
}

#[test]
fn partitions_have_the_triggers_of_their_table() {
    const PARTS: &str = "CREATE TABLE p (k int, note text) PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (9); CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := 1; RETURN NEW; END'; CREATE TRIGGER fill BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION fill();";
    let insert = "INSERT INTO p1 (k) VALUES ($1);";
    let needs = "ALTER TABLE p1 ADD CONSTRAINT noted CHECK (note IS NOT NULL);";
    // It fills what is checked, so it is not known to be NULL.
    check(PARTS, needs, insert, insert, "safe >");
    check(PARTS, "ALTER TABLE p DETACH PARTITION p1;", insert, "SELECT k FROM p1;", "safe >");
}

#[test]
fn what_is_granted_at_birth_can_be_revoked() {
    const APP: &str = "CREATE ROLE app; ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT ON TABLES TO app; CREATE TABLE t (a int, b int); CREATE SCHEMA s; CREATE TABLE s.t (a int, b int);";
    let narrow = "REVOKE SELECT ON t FROM app; GRANT SELECT (a) ON t TO app;";
    check(APP, narrow, "SELECT b FROM t;", "SELECT a FROM t;", "CO103 <>");
    check(APP, "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO other;", ONE, ONE, "safe <");
}

#[test]
fn a_view_is_not_copied() {
    const T: &str = "CREATE TABLE t (a int);";
    let renamed = "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT a FROM u;";
    check(T, renamed, "SELECT a FROM t;", "SELECT a FROM u;", "safe <");
    check(T, renamed, "COPY t (a) TO STDOUT;", "SELECT a FROM u;", "CO201 <");
    check(T, renamed, "COPY (SELECT a FROM t) TO STDOUT;", "SELECT a FROM u;", "safe <");
}

#[test]
fn a_step_that_cannot_run_twice_runs_once() {
    const T: &str = "CREATE TABLE t (id int PRIMARY KEY, kind text UNIQUE);";
    let insert = "INSERT INTO t (id) VALUES ($1);";
    check(T, "UPDATE t SET kind = 'first' WHERE kind IS NULL;", insert, insert, "safe (CO303) <");
    const U: &str = "CREATE TABLE t (id int PRIMARY KEY, kind text);";
    check(U, "UPDATE t SET kind = 'first' WHERE kind IS NULL;", insert, insert, "safe <>");
}

#[test]
fn foreign_keys_that_cascade_until_they_go_are_told() {
    const T: &str = "CREATE TABLE owner (id int PRIMARY KEY); CREATE TABLE pet (id int PRIMARY KEY, owner int REFERENCES owner ON DELETE CASCADE);";
    let delete = "DELETE FROM owner WHERE id = $1;";
    let drop = "ALTER TABLE pet DROP COLUMN owner;";
    check(T, drop, "SELECT owner FROM pet;", delete, "safe (CO310) >");
    check(T, drop, "SELECT owner FROM pet;", "SELECT id FROM owner;", "safe >");
}

#[test]
fn labels_are_committed_before_they_are_used() {
    const T: &str = "CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (id int, k e);";
    let block = "SELECT 1; BEGIN; ALTER TYPE e ADD VALUE 'b'; UPDATE t SET k = 'b' WHERE k IS NULL; COMMIT; SELECT 2;";
    check(T, block, ONE, ONE, "CO411 <<<");
    let apart = "ALTER TYPE e ADD VALUE 'b'; UPDATE t SET k = 'b' WHERE k IS NULL;";
    check(T, apart, ONE, ONE, "safe <<");
    let other = "SELECT 1; BEGIN; ALTER TYPE e ADD VALUE 'b'; UPDATE t SET k = 'a' WHERE k IS NULL; COMMIT; SELECT 2;";
    check(T, other, ONE, ONE, "safe <<<");
}

#[test]
fn policies_stand_on_the_columns_that_they_name() {
    const T: &str = "CREATE TABLE t (id int, tenant int);";
    let renamed = "ALTER TABLE t RENAME COLUMN tenant TO owner; CREATE POLICY mine ON t USING (owner = 1);";
    check(T, renamed, "SELECT tenant FROM t;", "SELECT id FROM t;", "safe >>");
}

#[test]
fn what_reads_a_column_does_not_ask_whether_it_takes_null() {
    const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int, b int);";
    let insert = "INSERT INTO t (id) VALUES ($1);";
    let demanded = "ALTER TABLE t ALTER COLUMN a SET NOT NULL;";
    check(
        T,
        "ALTER TABLE t ALTER COLUMN a SET NOT NULL; CREATE VIEW v AS SELECT a FROM t;",
        insert,
        "SELECT a FROM v;",
        "safe <>",
    );
    check(T, demanded, insert, "SELECT a FROM t;", "safe >");
    // What stands on it does.
    let identity =
        "ALTER TABLE t ALTER COLUMN a SET NOT NULL; ALTER TABLE t ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY;";
    check(T, identity, "SELECT a FROM t;", insert, "safe <<");
    let made =
        "CREATE TABLE u (id int, a int NOT NULL); ALTER TABLE t ALTER COLUMN a SET NOT NULL; ALTER TABLE t INHERIT u;";
    check(T, made, insert, "SELECT a FROM t;", "safe <>>");
}

#[test]
fn defaults_are_handed_down_until_a_table_leaves() {
    const T: &str = "CREATE TABLE u (id int, a int); CREATE TABLE t () INHERITS (u);";
    let leaves = "ALTER TABLE u ALTER COLUMN a SET DEFAULT 3; ALTER TABLE t NO INHERIT u;";
    check(T, leaves, "SELECT a FROM u;", "INSERT INTO t (id) VALUES ($1);", "safe <>");
}

#[test]
fn rules_are_not_triggers() {
    const T: &str = "CREATE TABLE t (id int); CREATE RULE r AS ON INSERT TO t DO ALSO SELECT 1;";
    check(T, "ALTER TABLE t DISABLE RULE r;", ONE, ONE, "CO101 (CO101) >");
}

/// PostgreSQL 15 refuses these queries as long as the rule is there.
#[test]
fn a_rule_that_stays_is_held_against_green() {
    const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE w (a int, id int);";
    const PLAIN: &str = "INSERT INTO t (id, a) VALUES ($1, $2);";
    const CONFLICT: &str = "INSERT INTO t (id, a) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING;";
    const RETURNING: &str = "INSERT INTO t (id, a) VALUES ($1, $2) RETURNING id;";
    const ALSO: &str =
        "-- cutover: before x\nCREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO w VALUES (NEW.a, NEW.id);";
    const INSTEAD: &str =
        "-- cutover: before x\nCREATE RULE r AS ON INSERT TO t DO INSTEAD INSERT INTO w VALUES (NEW.a, NEW.id);";
    check(T, ALSO, PLAIN, CONFLICT, "CO203 <");
    check(T, INSTEAD, "SELECT id FROM t;", RETURNING, "CO203 <");
    check(T, INSTEAD, "SELECT id FROM t;", PLAIN, "safe <");
    const GOES: &str = "-- cutover: before x\nCREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO w VALUES (NEW.a, NEW.id);\n-- cutover: before x\nDROP RULE r ON t;";
    check(T, GOES, "SELECT id FROM t;", CONFLICT, "safe <<");
    const DISABLED: &str = "-- cutover: before x\nCREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO w VALUES (NEW.a, NEW.id);\n-- cutover: before x\nALTER TABLE t DISABLE RULE r;";
    check(T, DISABLED, "SELECT id FROM t;", CONFLICT, "safe <<");
    // On a table that is new.
    const MADE: &str = "CREATE TABLE t (id int PRIMARY KEY, a int);\n-- cutover: before x\nCREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO w VALUES (NEW.a, NEW.id);";
    check("CREATE TABLE w (a int, id int);", MADE, "SELECT a FROM w;", CONFLICT, "CO203 <<");
    // By its name of then.
    const RENAMED: &str = "-- cutover: before x\nCREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO w VALUES (NEW.a, NEW.id);\n-- cutover: before x\nALTER TABLE t RENAME TO t2;";
    let green = "INSERT INTO t2 (id, a) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING;";
    check(T, RENAMED, "SELECT a FROM w;", green, "CO203 <<");
}

/// `NOT ENFORCED`, since PostgreSQL 18, in CREATE TABLE too.
#[test]
fn a_rule_that_is_not_enforced_binds_nothing() {
    const T: &str =
        "CREATE TABLE t (id int, a int CHECK (a > 0) NOT ENFORCED, CHECK (id > 0), b int, CHECK (b > 0) NOT ENFORCED);";
    const OTHER: &str = "CREATE TABLE other (id int);";
    check(T, OTHER, ONE, "INSERT INTO t (id, a, b) VALUES (1, -1, -1);", "safe <");
    check(T, "ALTER TABLE t VALIDATE CONSTRAINT t_a_check;", ONE, ONE, "CO411 <");
    check(T, "ALTER TABLE t VALIDATE CONSTRAINT t_b_check;", ONE, ONE, "CO411 <");
    check(T, "ALTER TABLE t VALIDATE CONSTRAINT t_id_check;", ONE, ONE, "safe <");
}

/// `ON CONFLICT` without a target looks at all keys, and a column that is NULL by its default breaks a check.
#[test]
fn rows_that_the_server_refuses_by_what_is_not_written() {
    const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int);";
    const ANY: &str = "INSERT INTO t (id, a) VALUES ($1, $2) ON CONFLICT DO NOTHING;";
    let key = "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a) DEFERRABLE INITIALLY DEFERRED;";
    check(T, key, ONE, ANY, "CO013 >");
    check(T, "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a);", ONE, ANY, "safe >");
    let named = "INSERT INTO t (id, a) VALUES ($1, $2) ON CONFLICT ON CONSTRAINT k DO NOTHING;";
    check(T, key, ONE, named, "CO013 <");
    let null = "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ADD COLUMN n varchar DEFAULT NULL;";
    let bound = "ALTER TABLE t ADD CHECK (n IS NOT NULL) NOT VALID;";
    check(null, bound, "SELECT id FROM t;", "INSERT INTO t (id) VALUES ($1);", "CO203 >");
}

#[test]
fn a_rule_takes_what_a_view_computes() {
    const V: &str = "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a + 1 AS b FROM t;";
    const R: &str = "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a + 1 AS b FROM t; -- cutover: before x\nCREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.id, NEW.b - 1);";
    let write = "INSERT INTO v (id, b) VALUES ($1, $2);";
    check(R, "CREATE TABLE other (id int);", write, write, "safe (CO101) <");
    check(V, "CREATE TABLE other (id int);", write, write, "CO013 (CO013) <");
}

#[test]
fn a_trigger_that_refuses_rows_until_it_goes_is_told() {
    const T: &str = "CREATE TABLE t (id int); CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; CREATE TRIGGER stop BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION stop();";
    let delete = "DELETE FROM t WHERE id = $1;";
    check(T, "DROP TRIGGER stop ON t;", "SELECT id FROM t;", delete, "safe (CO310) >");
    check(T, "DROP TRIGGER stop ON t;", "SELECT id FROM t;", "SELECT id FROM t;", "safe >");
    const U: &str = "CREATE TABLE t (id int); CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';";
    let stop = "CREATE TRIGGER stop BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION stop();";
    let insert = "INSERT INTO t (id) VALUES ($1);";
    check(U, stop, delete, insert, "safe >");
}

#[test]
fn a_new_counter_is_set_behind_the_rows_in_one_transaction() {
    const T: &str = "CREATE TABLE t (id serial PRIMARY KEY, a int);";
    let insert = "INSERT INTO t (a) VALUES ($1);";
    let identity = "ALTER TABLE t ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE t_id_seq; ALTER TABLE t ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY;";
    check(T, identity, insert, insert, "safe (CO301) <");
    let set = "ALTER TABLE t ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE t_id_seq; ALTER TABLE t ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY; SELECT setval(pg_get_serial_sequence('t', 'id'), max(id)) FROM t;";
    check(T, set, insert, insert, "safe <");
    const U: &str = "CREATE TABLE t (id int PRIMARY KEY, a int);";
    let started = "ALTER TABLE t ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (START WITH 1000);";
    check(U, started, "SELECT a FROM t;", insert, "safe <");
}

#[test]
fn a_foreign_key_with_another_action_is_never_away() {
    const T: &str =
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int CONSTRAINT k REFERENCES p);";
    let cascades =
        "ALTER TABLE c DROP CONSTRAINT k, ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p ON DELETE CASCADE;";
    let delete = "DELETE FROM p WHERE id = $1;";
    check(T, cascades, "SELECT id FROM p;", delete, "safe <");
    let apart = "ALTER TABLE c DROP CONSTRAINT k; ALTER TABLE c ADD CONSTRAINT l FOREIGN KEY (p_id) REFERENCES p ON DELETE SET NULL NOT VALID; ALTER TABLE c VALIDATE CONSTRAINT l;";
    check(T, apart, "SELECT id FROM p;", delete, "safe <<");
}

#[test]
fn a_check_option_is_a_rule_on_rows() {
    const T: &str = "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a FROM t WHERE a > 0;";
    let checked = "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t WHERE a > 0 WITH CHECK OPTION;";
    check(T, checked, "INSERT INTO v (id, a) VALUES ($1, $2);", ONE, "safe >");
}

#[test]
fn a_call_that_means_another_overload_is_another_call() {
    const T: &str = "CREATE TABLE t (id int); CREATE FUNCTION f(bigint) RETURNS int LANGUAGE sql AS 'SELECT 1';";
    let better = "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 2';";
    check(T, better, "SELECT f(id) FROM t;", ONE, "CO201 <");
    check(T, better, "SELECT f(7::bigint) FROM t;", ONE, "safe <");
    check(T, "CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 2';", "SELECT f(id) FROM t;", ONE, "safe <");
}

#[test]
fn a_primary_key_comes_after_the_column_of_the_old_one_has_gone() {
    const T: &str = "CREATE TABLE t (id serial PRIMARY KEY, a int NOT NULL, b text NOT NULL);";
    check(
        T,
        "ALTER TABLE t DROP COLUMN id; ALTER TABLE t ADD PRIMARY KEY (a);",
        "SELECT id FROM t;",
        "SELECT a FROM t;",
        "safe >>",
    );
}

#[test]
fn select_into_makes_a_table() {
    const T: &str = "CREATE TABLE t (id int, a int);";
    check(T, "SELECT id INTO u FROM t;", "SELECT a FROM t;", "SELECT id FROM u;", "safe <");
    check(T, "SELECT id INTO u FROM t;", "INSERT INTO t (id) VALUES ($1);", "SELECT id FROM u;", "safe (CO303) <");
}

#[test]
fn an_expression_that_a_table_keeps_may_fail_for_what_blue_writes() {
    const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a text, n int NOT NULL);";
    const ADD: &str = "INSERT INTO t (id, a, n) VALUES ($1, $2, $3);";
    let refuses = |release| check(T, release, ADD, ADD, "safe (CO301) <");
    let takes = |release| check(T, release, ADD, ADD, "safe <");
    refuses("CREATE INDEX i ON t ((a::int));");
    refuses("CREATE INDEX i ON t (id) WHERE a::int > 5;");
    takes("CREATE INDEX i ON t (lower(a)) WHERE n > 5;");
    refuses("ALTER TABLE t ADD COLUMN b varchar(3) GENERATED ALWAYS AS (upper(a)) STORED;");
    refuses("ALTER TABLE t ADD COLUMN b text GENERATED ALWAYS AS (upper(a)) STORED NOT NULL;");
    refuses("ALTER TABLE t ADD COLUMN b int GENERATED ALWAYS AS (100 / n) STORED;");
    takes("ALTER TABLE t ADD COLUMN b text GENERATED ALWAYS AS (upper(a)) STORED;");
    takes("ALTER TABLE t ADD COLUMN b int GENERATED ALWAYS AS (n * 2) STORED NOT NULL;");
}

/// One of several functions of a name that raises is one that a call may mean, by itself or through what it calls.
#[test]
fn what_raises_is_told_whichever_overload_it_is() {
    const BASE: &str = "CREATE TABLE t (id int PRIMARY KEY, a int);";
    const ADD: &str = "INSERT INTO t (id) VALUES ($1);";
    let with = |body: &str, more: &str| -> &'static str {
        format!(
            "{BASE} CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
            CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN {body} RETURN x; END $$; {more}"
        )
        .leak()
    };
    const SET: &str = "ALTER TABLE t ALTER COLUMN a SET DEFAULT f();";
    let raises = "RAISE EXCEPTION 'no';";
    check(with(raises, ""), SET, ADD, ONE, "safe (CO301) <");
    check(with("RAISE NOTICE 'no';", ""), SET, ADD, ONE, "safe <");
    check(with(raises, ""), SET, "INSERT INTO t (id, a) VALUES ($1, $2);", ONE, "safe <");
    // Through a function that calls it.
    let calls = "CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN f(); END $$;";
    let through = "ALTER TABLE t ALTER COLUMN a SET DEFAULT g();";
    check(with(raises, calls), through, ADD, ONE, "safe (CO301) <");
    check(with("", calls), through, ADD, ONE, "safe <");
    // A trigger that refuses rows waits until blue is drained, and one that only may.
    let trigger = "CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM f(); RETURN NEW; END $$;";
    let made = "CREATE TRIGGER h BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION h();";
    check(with(raises, trigger), made, ADD, ONE, "safe >");
    check(with("", trigger), made, ADD, ONE, "safe <");
}

#[test]
fn an_assertion_raises() {
    const BASE: &str = "CREATE TABLE t (id int PRIMARY KEY, a int);";
    const ADD: &str = "INSERT INTO t (id, a) VALUES ($1, $2);";
    let trigger = |body: &str| -> &'static str {
        format!(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
            CREATE TRIGGER g BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();"
        )
        .leak()
    };
    let asserts = trigger("ASSERT NEW.a > 100, 'too small';");
    check(BASE, asserts, ADD, ONE, "safe <>");
    check(BASE, trigger("IF NEW.a IS NULL THEN ASSERT false; END IF;"), ADD, ONE, "safe <>");
    // Words in texts and names are none.
    check(BASE, trigger("NEW.a := length('assert false');"), ADD, ONE, "safe <<");
    // What it asks is looked at like any expression.
    check(BASE, trigger("ASSERT NEW.b > 0;"), ADD, ONE, "safe <>");
}

#[test]
fn a_default_that_always_fails_is_a_column_that_nobody_may_leave_out() {
    const T: &str = "CREATE DOMAIN pos AS int CHECK (VALUE > 0); CREATE DOMAIN slug AS text CHECK (VALUE ~ '^[a-z]+$');
        CREATE TABLE t (id int, a int, v varchar(3), p pos, s slug, u int UNIQUE);";
    const INSERT: &str = "INSERT INTO t (id) VALUES ($1);";
    let set = |column: &str, value: &str| -> &'static str {
        format!("ALTER TABLE t ALTER COLUMN {column} SET DEFAULT {value};").leak()
    };
    // It waits until blue is drained.
    check(T, set("a", "1 / 0"), INSERT, ONE, "safe >");
    check(T, set("a", "2147483648"), INSERT, ONE, "safe >");
    check(T, set("v", "'abcd'"), INSERT, ONE, "safe >");
    check(T, set("p", "-1"), INSERT, ONE, "safe >");
    const BEFORE: &str = "-- cutover: before somebody says so\nALTER TABLE t ALTER COLUMN a SET DEFAULT 1 / 0;";
    check(T, BEFORE, INSERT, ONE, "CO201 (CO301) <");
    check(T, BEFORE, "INSERT INTO t (id, a) VALUES ($1, $2);", ONE, "safe <");
    check(T, set("p", "1"), INSERT, ONE, "safe <");
    // Whether the domain takes it is not known.
    check(T, set("s", "'x'"), INSERT, ONE, "safe (CO301) <");
    // Green has it for good.
    check(T, set("a", "1 / 0"), ONE, INSERT, "CO013 CO203 <");
    check(T, "CREATE TABLE n (id int, a int DEFAULT 1 / 0);", ONE, "INSERT INTO n (id) VALUES ($1);", "CO013 <");
    check(T, "CREATE TABLE n (id int, a int DEFAULT 1 / 1);", ONE, "INSERT INTO n (id) VALUES ($1);", "safe <");
    // A whole number is held against a domain of numerics, too.
    const PRICE: &str = "CREATE DOMAIN price AS numeric CHECK (VALUE > 0); CREATE TABLE t (id int, p price);";
    check(PRICE, set("p", "0"), INSERT, ONE, "safe >");
    check(PRICE, set("p", "1"), INSERT, ONE, "safe <");
    // A domain that refuses nothing any more takes what it refused.
    const TAKES: &str = "ALTER TABLE t ALTER COLUMN p SET DEFAULT -1; ALTER DOMAIN pos DROP CONSTRAINT pos_check;";
    check(T, TAKES, ONE, INSERT, "safe <<");
    // So is one that is the same for every row, in a unique key.
    check(T, set("u", "nullif(1, 2)"), INSERT, ONE, "safe >");
    check(T, set("u", "extract(epoch FROM clock_timestamp())::int"), INSERT, ONE, "safe <");
    // Those of a domain are its columns'.
    check(T, "ALTER DOMAIN pos SET DEFAULT -1;", INSERT, ONE, "safe (CO301) <");
    check(T, "ALTER DOMAIN pos SET DEFAULT 1;", INSERT, ONE, "safe <");
}

#[test]
fn a_constant_that_fails_behind_a_trigger_is_told() {
    const T: &str = "CREATE TABLE t (id int, a int);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a := 1 / 0; RETURN NEW; END';
        CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a := 1 / 1; RETURN NEW; END';";
    const INSERT: &str = "INSERT INTO t (id) VALUES ($1);";
    const WHEN: &str = "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.a > 1 / 0) EXECUTE FUNCTION f();";
    const WHOLE: &str = "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.a > 1 / 1) EXECUTE FUNCTION f();";
    check(T, WHEN, INSERT, ONE, "safe (CO301) <");
    check(T, WHOLE, INSERT, ONE, "safe <");
    check(T, "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();", INSERT, ONE, "safe (CO301) <");
    check(T, "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION h();", INSERT, ONE, "safe <");
    // A pattern fails for whatever row is held against it.
    const P: &str = "CREATE TABLE t (id int, b text);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.b := regexp_replace(NEW.b, ''('', NEW.b); RETURN NEW; END';
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.b := regexp_replace(NEW.b, ''(a)'', NEW.b); RETURN NEW; END';";
    const ROW: &str = "INSERT INTO t (id, b) VALUES ($1, $2);";
    check(P, "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();", ROW, ONE, "safe (CO301) <");
    check(P, "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();", ROW, ONE, "safe <");
    check(P, "CREATE INDEX i ON t (id) WHERE b ~ '(';", ROW, ONE, "safe (CO301) <");
    check(P, "CREATE INDEX i ON t (id) WHERE b ~ 'a';", ROW, ONE, "safe <");
}

#[test]
fn what_an_extension_may_bring_is_not_known() {
    const T: &str = "CREATE TABLE t (id int, r tstzrange, j json);";
    const EXCLUDE: &str = "ALTER TABLE t ADD EXCLUDE USING gist (id WITH =, r WITH &&);";
    const WORDED: &str =
        "-- cutover: before the extension is there\nALTER TABLE t ADD EXCLUDE USING gist (id WITH =, r WITH &&);";
    const MADE: &str =
        "CREATE EXTENSION IF NOT EXISTS btree_gist; ALTER TABLE t ADD EXCLUDE USING gist (id WITH =, r WITH &&);";
    check(T, EXCLUDE, ONE, ONE, "CO006 >");
    check(T, WORDED, ONE, ONE, "safe (CO006) <");
    check(T, MADE, ONE, ONE, "safe <>");
    check(T, "CREATE TABLE n (id int, r tstzrange, EXCLUDE USING gist (id WITH =, r WITH &&));", ONE, ONE, "CO006 >");
    check(T, "CREATE INDEX ON t USING gin (id);", ONE, ONE, "CO006 >");
    check(T, "CREATE INDEX ON t USING gist (r);", ONE, ONE, "safe <");
    // No extension of the server's has one.
    check(T, "CREATE INDEX ON t USING gist (j);", ONE, ONE, "CO411 <");
}

#[test]
fn a_view_above_triggers_takes_what_they_take() {
    let views = |trigger: &str| -> &'static str {
        format!(
            "DROP VIEW v2; DROP VIEW v1; CREATE VIEW v1 AS SELECT a, upper(b) AS b FROM t;
            {trigger} CREATE VIEW v2 AS SELECT * FROM v1;"
        )
        .leak()
    };
    const T: &str = "CREATE TABLE t (a int PRIMARY KEY, b text); CREATE VIEW v1 AS SELECT a, b FROM t; CREATE VIEW v2 AS SELECT * FROM v1;
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO t VALUES (NEW.a, NEW.b); RETURN NEW; END';";
    const BOTH: &str = "CREATE TRIGGER g INSTEAD OF INSERT OR UPDATE ON v1 FOR EACH ROW EXECUTE FUNCTION f();";
    const INSERT: &str = "CREATE TRIGGER g INSTEAD OF INSERT ON v1 FOR EACH ROW EXECUTE FUNCTION f();";
    const UPDATE: &str = "UPDATE v2 SET b = $1 WHERE a = $2;";
    check(T, views(BOTH), ONE, UPDATE, "safe <");
    // Only rows that come are taken.
    check(T, views(INSERT), ONE, UPDATE, "CO203 <");
    check(T, views(""), ONE, UPDATE, "CO203 >");
}
