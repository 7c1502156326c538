//! What name and type resolution says of queries, against what PostgreSQL says when it prepares them: parameters, results, refusals.

use cutover::postgres::introspect;
use cutover::schema::Schema;
use cutover::schema::resolve::{Type, resolve};
use cutover::source::Sources;
use cutover::sql;
use tokio_postgres::Client;
use tokio_postgres::types::Type as PgType;

use crate::support;

const SCHEMA: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE users (id bigserial PRIMARY KEY, name varchar(40) NOT NULL, mail email, state mood NOT NULL DEFAULT 'ok',
    tags text[] NOT NULL DEFAULT '{}', meta jsonb, score numeric(10,2), height real, born date, seen timestamptz, old boolean,
    "Odd Name" int, spot pair);
CREATE TABLE posts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint REFERENCES users (id), title text NOT NULL,
    body text, rank smallint NOT NULL DEFAULT 0, words int GENERATED ALWAYS AS (length(title)) STORED, at timestamp NOT NULL DEFAULT now());
CREATE TABLE likes (user_id bigint, post_id int, PRIMARY KEY (user_id, post_id));
CREATE VIEW authors AS SELECT u.id, u.name, p.title FROM users u JOIN posts p ON p.user_id = u.id;
CREATE SCHEMA other;
CREATE TABLE other.things (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), what text);
CREATE SEQUENCE counter;
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
CREATE FUNCTION twice(x text) RETURNS text LANGUAGE sql AS 'SELECT $1 || $1';
CREATE FUNCTION with_default(a int, b text DEFAULT 'x') RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION pairs(n int) RETURNS TABLE (at int, label varchar(3)) LANGUAGE sql AS 'SELECT 1, ''x''::varchar';
CREATE FUNCTION halves(IN whole int, OUT half numeric, OUT rest int) LANGUAGE sql AS 'SELECT 1.5, 2';
CREATE FUNCTION single(OUT answer int) LANGUAGE sql AS 'SELECT 42';
CREATE FUNCTION both_ways(INOUT x int, OUT text) LANGUAGE sql AS 'SELECT $1, ''a''';
CREATE FUNCTION labels() RETURNS TABLE (label text) LANGUAGE sql AS 'SELECT ''a''';
CREATE FUNCTION all_posts() RETURNS SETOF posts LANGUAGE sql AS 'SELECT * FROM posts';
"#;

/// A query a line.
const QUERIES: &str = r#"
SELECT * FROM users
SELECT u.* FROM users u WHERE u.id = $1
SELECT id, name AS who, upper(name), mail FROM users WHERE name = $1 AND mail = $2 AND state = $3
SELECT count(*), sum(rank), avg(rank), max(at), min(title), array_agg(id), string_agg(title, ', ') FROM posts GROUP BY user_id
SELECT sum(id), sum(score), sum(height), avg(id) FROM users
SELECT id + 1, id * $1, score / 2, height * 2, -rank FROM users, LATERAL (SELECT rank FROM posts WHERE user_id = users.id) p
SELECT rank + id, rank + 1, rank * 1.5, 1 + 1, 1.5 + 1, 3000000000 + 1 FROM posts
SELECT born + 1, born - born, born + interval '1 day', seen - seen, seen - interval '1 hour', now() - seen, born + $1::int FROM users
SELECT meta -> 'a', meta ->> 'a', meta -> 0, meta #>> '{a,b}', meta ? 'a', meta @> '{}', meta - 'a', meta || '{}' FROM users
SELECT tags[1], tags[1:2], array_length(tags, 1), tags || 'x', 'x' = ANY(tags), unnest(tags), cardinality(tags) FROM users
SELECT * FROM users WHERE tags && $1 AND id = ANY($2) AND name = ANY($3) AND state = ANY($4)
SELECT * FROM users WHERE id IN ($1, $2) AND name IN ('a', $3) AND state IN ('sad', 'ok')
SELECT * FROM users WHERE id IN (SELECT user_id FROM posts WHERE title LIKE $1) AND (id, name) IN (SELECT user_id, title FROM posts)
SELECT CASE WHEN old THEN 1 ELSE 2.5 END, CASE state WHEN 'sad' THEN 'a' ELSE name END, CASE WHEN $1 THEN id END FROM users
SELECT coalesce(name, 'x'), coalesce(score, 0), greatest(id, 1), least($1, born), nullif(id, 3), coalesce($2, $3) FROM users
SELECT name || 'x', name || id, 'a' || 'b', id::text || name, concat(name, id), format('%s', id) FROM users
SELECT * FROM users LIMIT $1 OFFSET $2
SELECT extract(year FROM born), date_trunc('day', seen), to_char(seen, 'YYYY'), age(seen), date_part('epoch', at), seen AT TIME ZONE 'UTC' FROM users, posts
SELECT current_date, current_timestamp, now(), localtimestamp, current_user, clock_timestamp()
SELECT $1::int, $2::text[], $3::mood, cast($4 AS uuid), $5::jsonb, 'x'::varchar(3), '1'::numeric(3,1), '{1}'::int[]
SELECT 'text', NULL, 1, 1.5, true, '2020-01-01'::date, interval '1 day', ARRAY[1,2], ARRAY['a'], ARRAY[]::uuid[]
SELECT row_number() OVER (PARTITION BY user_id ORDER BY id), rank() OVER w, lag(title) OVER w, sum(rank) OVER (ORDER BY id) FROM posts WINDOW w AS (ORDER BY id)
SELECT EXISTS (SELECT 1 FROM posts), (SELECT max(id) FROM posts), ARRAY(SELECT id FROM users), NOT old FROM users
SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.user_id LEFT JOIN likes l ON l.post_id = p.id WHERE l.user_id IS NULL
SELECT * FROM posts JOIN likes USING (user_id)
SELECT user_id FROM posts NATURAL JOIN likes
WITH a AS (SELECT id, name FROM users), b (x, y) AS (SELECT * FROM a) SELECT x, y FROM b WHERE x = $1
WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < $1) SELECT n FROM t
WITH gone AS (DELETE FROM posts WHERE id = $1 RETURNING id, title) SELECT * FROM gone
SELECT id FROM users UNION SELECT user_id FROM posts UNION ALL SELECT 1
SELECT id, NULL FROM users UNION SELECT 1, title FROM posts ORDER BY id
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v (n, t) WHERE n = $1
VALUES (1, 'a', NULL), (2.5, 'b', true)
SELECT * FROM generate_series(1, $1) g
SELECT * FROM generate_series('2020-01-01'::timestamp, now(), '1 day') AS g (day)
SELECT * FROM unnest($1::int[], $2::text[]) AS u (a, b)
SELECT * FROM unnest(ARRAY['a']) WITH ORDINALITY AS x (v, i)
SELECT key, value FROM jsonb_each((SELECT meta FROM users LIMIT 1))
SELECT e ->> 'x' FROM users, jsonb_array_elements(meta) e
SELECT * FROM jsonb_each_text($1)
SELECT * FROM all_posts() WHERE rank > $1
SELECT * FROM pairs(1) WHERE at = $1
SELECT p.label, h.half FROM pairs(2) p, halves(p.at) h
SELECT *, single FROM single() AS single
SELECT * FROM both_ways(3)
SELECT l.label, l FROM labels() l
SELECT missing FROM pairs(1)
SELECT * FROM labels() AS x (renamed) JOIN pairs(1) AS y (a, b) ON b = renamed
SELECT single(), halves(3)
SELECT twice(1), twice('a'), twice(rank), with_default(1), with_default(1, 'b'), twice($1::text) FROM posts
SELECT (spot).a, (spot).b FROM users
SELECT (u.spot).* FROM users u
SELECT users FROM users
SELECT u FROM users u
SELECT count(u.*) FROM users u
SELECT title, words FROM authors, posts WHERE authors.title = posts.title
SELECT * FROM authors WHERE name ILIKE $1
SELECT id, what FROM other.things WHERE id = $1
SELECT "Odd Name", users."Odd Name" FROM users
SELECT last_value FROM counter
SELECT nextval('counter'), currval('counter'::regclass)
SELECT DISTINCT ON (user_id) user_id, title FROM posts ORDER BY user_id, at DESC
SELECT title AS t FROM posts ORDER BY t
SELECT date(at) AS day, count(*) FROM posts GROUP BY day HAVING count(*) > $1
SELECT id FROM users WHERE born BETWEEN $1 AND $2 AND score >= $3 AND height < $4 AND NOT old AND seen IS NOT NULL
SELECT id FROM users WHERE name SIMILAR TO $1 OR name ~ $2 OR name ~* 'x' OR name NOT LIKE 'a%'
SELECT id FROM users WHERE ($1::text IS NULL OR name = $1) AND ($2::int IS NULL OR id = $2)
SELECT id FROM users WHERE lower(name) = lower($1) AND length(name) > $2 AND position('a' in name) > 0
SELECT substring(name FROM 1 FOR 2), trim(name), overlay(name PLACING 'x' FROM 1), replace(name, $1, ''), left(name, 3) FROM users
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY rank) FROM posts
SELECT count(*) FILTER (WHERE rank > 1), bool_and(rank > 0), jsonb_agg(title), json_build_object('a', id) FROM posts GROUP BY id
SELECT jsonb_build_object('a', 1), to_jsonb(u), row_to_json(u), md5(name), gen_random_uuid(), random() FROM users u
SELECT ctid, xmin, tableoid::regclass FROM posts
SELECT id FROM users ORDER BY $1::text, 1 DESC NULLS LAST FOR UPDATE SKIP LOCKED
SELECT generate_series(1, 3), regexp_matches(name, 'x') FROM users
INSERT INTO users (name, mail, state, tags, meta, score) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id, state
INSERT INTO users (name) VALUES ($1), ('b'), (DEFAULT) RETURNING *
INSERT INTO likes VALUES ($1, $2) ON CONFLICT DO NOTHING
INSERT INTO likes (user_id, post_id) SELECT $1, id FROM posts WHERE title = $2 ON CONFLICT (user_id, post_id) DO NOTHING
INSERT INTO likes (user_id, post_id) SELECT $1::bigint, $2::int ON CONFLICT DO NOTHING
INSERT INTO users (id, name) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name, score = users.score + $3
INSERT INTO posts (title, rank) SELECT title, $1 FROM posts
INSERT INTO posts (title) SELECT * FROM unnest($1::text[])
INSERT INTO posts DEFAULT VALUES
UPDATE users SET name = $1, state = $2, tags = array_append(tags, $3), meta = jsonb_set(meta, '{a}', $4) WHERE id = $5
UPDATE users SET (name, score) = ($1, $2) WHERE id = $3 RETURNING name
UPDATE users u SET name = p.title FROM posts p WHERE p.user_id = u.id AND p.id = $1 RETURNING u.id, p.rank
UPDATE users SET tags[1] = $1
UPDATE users SET state = 'happy', score = NULL, seen = now(), height = $1
DELETE FROM posts USING users WHERE users.id = posts.user_id AND users.name = $1 RETURNING posts.*
DELETE FROM likes WHERE (user_id, post_id) = ($1, $2)
SELECT nothing FROM users
SELECT u.nothing FROM users u
SELECT * FROM nothing
SELECT x.id FROM users u
SELECT id FROM users, posts
SELECT user_id FROM posts, likes
SELECT nothing(1)
SELECT twice(born) FROM users
SELECT id FROM users WHERE state = 'angry'
SELECT id FROM users WHERE id = 'abc'
SELECT id FROM users WHERE born = 5
SELECT id FROM users WHERE name
SELECT coalesce(id, born) FROM users
SELECT id FROM users UNION SELECT title FROM posts
SELECT id, name FROM users UNION SELECT id FROM users
SELECT $1::nothing
SELECT * FROM users u JOIN posts u ON true
SELECT * FROM posts JOIN likes USING (id)
INSERT INTO users (nothing) VALUES (1)
INSERT INTO users (name) VALUES (1, 2)
INSERT INTO users (id, name) VALUES (1)
INSERT INTO users (id) VALUES (now())
INSERT INTO posts (words) VALUES (1)
INSERT INTO nothing VALUES (1)
UPDATE users SET nothing = 1
UPDATE users SET old = 5
UPDATE posts SET words = 1
DELETE FROM nothing
INSERT INTO likes VALUES (1, 2) ON CONFLICT ON CONSTRAINT nothing DO NOTHING
INSERT INTO likes VALUES (1, 2, 3)
"#;

/// What a client is told, or the SQLSTATE.
async fn prepared(client: &Client, text: &str) -> String {
    match client.prepare(text).await {
        Ok(statement) => {
            let parameters: Vec<u32> = statement.params().iter().map(PgType::oid).collect();
            let columns: Vec<u32> = statement.columns().iter().map(|c| c.type_().oid()).collect();
            let (parameters, columns) = (names(client, &parameters).await, names(client, &columns).await);
            let columns: Vec<String> =
                statement.columns().iter().zip(columns).map(|(c, t)| format!("{} {t}", c.name())).collect();
            format!("({}) → ({})", parameters.join(", "), columns.join(", "))
        }
        Err(error) => error.code().map_or("?", |code| code.code()).to_owned(),
    }
}

async fn names(client: &Client, oids: &[u32]) -> Vec<String> {
    let mut found = Vec::new();
    for oid in oids {
        found.push(client.query_one("SELECT format_type($1, NULL)", &[oid]).await.unwrap().get(0));
    }
    found
}

/// The same as resolution has it; `?` for what it does not know.
fn resolved(schema: &Schema, text: &str) -> String {
    let command = match sql::read_query(text) {
        Ok(command) => command,
        Err(error) => return format!("not read: {error}"),
    };
    let found = resolve(&command, schema);
    if let Some(problem) = found.problems.first() {
        return problem.code.to_owned();
    }
    let word = |t: &Type| match t {
        Type::Any => "?".to_owned(),
        other => other.to_string(),
    };
    let parameters: Vec<String> = found.parameters.iter().map(word).collect();
    let columns = found.columns.map_or_else(
        || "?".to_owned(),
        |columns| columns.iter().map(|(name, t)| format!("{name} {}", word(t))).collect::<Vec<_>>().join(", "),
    );
    format!("({}) → ({columns})", parameters.join(", "))
}

/// Whether two are the same as far as the second is known.
fn agree(server: &str, ours: &str) -> bool {
    let split = |text: &str| text.split([' ', ',', '(', ')']).map(str::to_owned).collect::<Vec<_>>();
    if server == ours {
        return true;
    }
    let (server, ours) = (split(server), split(ours));
    // A name of several words may stand for one `?`.
    let known: Vec<_> = ours.iter().filter(|word| *word != "?").collect();
    ours.contains(&"?".to_owned()) && known.iter().all(|word| server.contains(word))
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_what_postgresql_says_they_are() {
    let session = support::database().await.connect().await;
    session.batch_execute(SCHEMA).await.unwrap();
    let live = introspect(&session).await.unwrap();
    let mut sources = Sources::new();
    let file = sources.add("schema.sql", SCHEMA);
    let (statements, _) = sql::read(&sources, file);
    let pieces = statements.iter().flat_map(|statement| &statement.pieces);
    let simulated = pieces.fold(Schema::empty(), |schema, piece| schema.apply(&piece.operation).schema);
    let mut wrong = Vec::new();
    let mut unsure = Vec::new();
    let queries: Vec<&str> = QUERIES.lines().filter(|line| !line.is_empty()).collect();
    for text in &queries {
        let server = prepared(&session, text).await;
        for (what, schema) in [("live", &live), ("simulated", &simulated)] {
            let ours = resolved(schema, text);
            if !agree(&server, &ours) {
                wrong.push(format!("{text}\n    server: {server}\n    {what}: {ours}"));
            } else if server != ours {
                unsure.push(format!("{text}\n    server: {server}\n    {what}: {ours}"));
            }
        }
    }
    eprintln!("{} queries; not fully known:\n{}", queries.len(), unsure.join("\n"));
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The columns of views, as the simulation has them and as the server does.
#[tokio::test]
async fn columns_of_views_have_the_types_that_postgresql_gives_them() {
    let views = r"
        CREATE VIEW v1 AS SELECT id + 1 AS next, upper(name) AS name, count(*) OVER () AS n, state, mail, score * 2 AS twice FROM users;
        CREATE VIEW v2 AS SELECT u.*, p.title || '!' AS shout FROM users u LEFT JOIN posts p ON p.user_id = u.id;
        CREATE VIEW v3 AS WITH t AS (SELECT user_id, max(at) AS last FROM posts GROUP BY 1) SELECT * FROM t;
        CREATE VIEW v4 AS SELECT next, n FROM v1 UNION ALL SELECT 1.5, 2;
        CREATE VIEW v5 (a, b) AS VALUES (1, 'x'::text), (2, NULL);
        CREATE VIEW v6 AS SELECT CASE WHEN rank > 1 THEN 'high' ELSE 'low' END AS level, EXISTS (SELECT 1 FROM likes) AS liked FROM posts;
        CREATE VIEW v7 AS SELECT * FROM generate_series(1, 3) AS g (i), jsonb_each_text('{}');
        CREATE MATERIALIZED VIEW v8 AS SELECT date_trunc('day', seen) AS day, array_agg(DISTINCT name) AS names FROM users GROUP BY 1;
        CREATE TABLE made AS SELECT id, count(*) AS n, name || 'x' AS long FROM users GROUP BY id, name;
    ";
    let database = support::database().await;
    let session = database.connect().await;
    session.batch_execute(SCHEMA).await.unwrap();
    session.batch_execute(views).await.unwrap();
    let real = introspect(&session).await.unwrap();
    let folder = cutover::migrations::Folder::from_files(
        cutover::migrations::Convention::Refinery,
        [("V1__all.sql".into(), format!("{SCHEMA}{views}"))],
    )
    .unwrap();
    let simulated =
        cutover::plan::check(cutover::plan::Request::new(&folder, &folder.pending_after(None).unwrap())).last;
    let shown = |schema: &Schema, name: &str| {
        let relation = schema.relation(&cutover::schema::QName::new("public", name)).unwrap();
        let columns = relation.columns.iter();
        let shown = columns
            .map(|c| format!("{} {}", c.name, c.data_type.as_ref().map_or("?".to_owned(), |t| t.base().into_owned())));
        shown.collect::<Vec<_>>().join(", ")
    };
    for view in ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "made"] {
        assert_eq!(shown(&simulated, view), shown(&real, view), "{view}");
    }
}
