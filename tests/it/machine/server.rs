//! The server's side: a database that is emptied for each release, what it says to statements and queries, and what is in it.

use std::collections::{BTreeMap, BTreeSet};

use cutover::postgres::{Session, connect};
use tokio_postgres::Statement;

use super::release::Query;
use crate::support;

/// Why the server refused something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// SQLSTATE
    pub(super) code: String,
    pub(super) message: String,
    /// Whether the body of a function was running.
    in_body: bool,
}

impl Refusal {
    fn of(error: &tokio_postgres::Error) -> Self {
        let code = error.code().map_or("-----", |c| c.code()).to_owned();
        let context = error.as_db_error().and_then(|error| error.where_());
        let in_body = context.is_some_and(|context| context.contains("PL/pgSQL function"));
        Self { code, message: support::message(error), in_body }
    }

    /// Whether rows decided it, or a program: no text can know.
    pub(super) fn by_rows(&self) -> bool {
        self.in_body
            || ["21", "22", "23", "P0", "40", "53", "54", "57"].iter().any(|class| self.code.starts_with(class))
    }
}

/// What an attempt at a query came to.
pub(super) type Answer = Result<String, Refusal>;

/// A table that was there before the release.
#[derive(Debug, Clone)]
pub(super) struct Old {
    pub(super) name: String,
    /// The names of its parents.
    pub(super) parents: String,
}

/// A lock that a step took.
#[derive(Debug, Clone)]
pub(super) struct Lock {
    pub(super) table: Old,
    /// As pg_locks has it.
    pub(super) mode: String,
}

/// A database for one release after the other.
pub(super) struct Server {
    session: Session,
    used: usize,
    /// The role that asks the queries, where it is not the owner.
    role: Option<&'static str>,
    tries: Statement,
    locks: Statement,
    tables: Statement,
    rows: Statement,
    objects: Statement,
}

/// How many releases a database lives through, before its catalog has become slow.
const USES: usize = 300;

/// What is in a database: its objects, and its rows by table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Content {
    pub(super) objects: BTreeMap<String, String>,
    pub(super) rows: BTreeMap<String, Vec<String>>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let target = support::server().await.create_database().await.unwrap();
        let session = connect(&target).await.unwrap();
        for setting in ["client_min_messages = error", "jit = off"] {
            session.batch_execute(&format!("ALTER DATABASE \"{}\" SET {setting}", target.database())).await.unwrap();
        }
        session.batch_execute(MAKE_ROLE).await.unwrap();
        session.close().await;
        let session = connect(&target).await.unwrap();
        session.batch_execute(TRY).await.unwrap();
        session.batch_execute(ROWS).await.unwrap();
        let prepared = async |sql| session.prepare(sql).await.unwrap();
        let tries = prepared("SELECT code, message FROM pg_temp.machine_try($1, $2, $3)").await;
        let rows = prepared("SELECT name, content FROM pg_temp.machine_rows()").await;
        let objects = prepared(include_str!("content.sql")).await;
        let (locks, tables) = (prepared(LOCKS).await, prepared(TABLES).await);
        Self { session, used: 0, role: None, tries, locks, tables, rows, objects }
    }

    /// Empties it for a release with this base.
    pub(super) async fn fresh(&mut self, base: &[String]) {
        self.used += 1;
        if self.used > USES {
            let old = std::mem::replace(self, Self::start().await);
            let gone = format!("DROP DATABASE \"{}\"", old.session.target().database());
            old.session.close().await;
            // The maintenance database is another one: nobody is on the old one any more.
            let session = connect(support::server().await.maintenance()).await.unwrap();
            session.batch_execute(&gone).await.unwrap();
            session.close().await;
        }
        self.role = base.iter().any(|sql| sql.contains(ROLE)).then_some(ROLE);
        self.end_of_step().await;
        self.session.batch_execute(EMPTY).await.unwrap();
    }

    /// Runs one text as one message.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Refusal> {
        self.session.batch_execute(sql).await.map_err(|error| Refusal::of(&error))
    }

    /// Runs statements in a transaction, and says which locks it took on tables that `old` names, by oid.
    pub(super) async fn transaction(
        &self,
        statements: &[&str],
        old: &BTreeMap<u32, Old>,
    ) -> Result<Vec<Lock>, Refusal> {
        let all = format!("BEGIN;\n{}\n;SET CONSTRAINTS ALL IMMEDIATE", statements.join("\n;"));
        let tried = async {
            self.run(&all).await?;
            let locks = self.session.query(&self.locks, &[]).await.map_err(|error| Refusal::of(&error))?;
            self.run("COMMIT").await?;
            let named = |row: &tokio_postgres::Row| {
                Some(Lock { table: old.get(&row.get::<_, u32>(0))?.clone(), mode: row.get(1) })
            };
            Ok(locks.iter().filter_map(named).collect())
        };
        let done = tried.await;
        if done.is_err() || statements.iter().any(|s| s.starts_with("SET ")) {
            self.end_of_step().await;
        }
        done
    }

    /// Whatever was going on is over, and what was set is forgotten.
    pub(super) async fn end_of_step(&self) {
        self.session.batch_execute("ROLLBACK; RESET ALL").await.unwrap();
    }

    /// What a build that failed outside a transaction left behind.
    pub(super) async fn drop_invalid_indexes(&self) {
        self.session.batch_execute(DROP_INVALID).await.ok();
    }

    /// The tables there are, by oid.
    pub(super) async fn tables(&self) -> BTreeMap<u32, Old> {
        let rows = self.session.query(&self.tables, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), Old { name: row.get(1), parents: row.get(2) })).collect()
    }

    /// Tries each of the queries by itself, and takes it back.
    pub(super) async fn attempts(&self, queries: &[Query]) -> Vec<Answer> {
        let (texts, values): (Vec<String>, Vec<&str>) = queries.iter().map(|q| (q.sent(), q.values.as_str())).unzip();
        let answers = self.session.query(&self.tries, &[&texts, &values, &self.role]).await;
        let answer = |row: &tokio_postgres::Row| match row.get::<_, Option<String>>(0) {
            Some(code) => Err(Refusal { code, message: row.get(1), in_body: false }),
            None => {
                // Without ORDER BY, rows come as they like.
                let mut rows: Vec<&str> = row.get::<_, &str>(1).lines().collect();
                rows.sort_unstable();
                Ok(rows.join(" "))
            }
        };
        answers.unwrap().iter().map(answer).collect()
    }

    /// Runs a query for good.
    pub(super) async fn commit(&self, query: &Query) -> Result<(), Refusal> {
        if let Some(role) = self.role {
            self.run(&format!("SET ROLE {role}")).await?;
        }
        let done = self.ask(query).await;
        self.session.batch_execute("RESET ROLE").await.unwrap();
        done
    }

    async fn ask(&self, query: &Query) -> Result<(), Refusal> {
        if query.rows.is_some() {
            return self.run(&query.sent()).await;
        }
        let values = if query.values.is_empty() { String::new() } else { format!("({})", query.values) };
        self.run(&format!("PREPARE machine_query AS {}", query.sql)).await?;
        let done = self.run(&format!("EXECUTE machine_query{values}")).await;
        self.session.batch_execute("DEALLOCATE machine_query").await.unwrap();
        done
    }

    /// What there is at the end.
    pub(super) async fn content(&self) -> Content {
        let objects = self.session.query(&self.objects, &[]).await.unwrap();
        let objects = objects.iter().map(|row| (row.get(0), row.get(1))).collect();
        let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.session.query(&self.rows, &[]).await.unwrap() {
            let all = rows.entry(row.get(0)).or_default();
            all.extend(row.get::<_, Option<String>>(1));
        }
        for all in rows.values_mut() {
            all.sort();
        }
        Content { objects, rows }
    }

    /// Columns that get another value each time: of identities, sequences, clocks, and what is made of them.
    pub(super) async fn changing(&self) -> BTreeSet<(String, String)> {
        let rows = self.session.query(CHANGING, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

/// The role of an application that owns nothing. It may run the program that COPY's rows come from.
pub(super) const ROLE: &str = "machine_app";

const MAKE_ROLE: &str = "DO $$ BEGIN
    CREATE ROLE machine_app;
    GRANT pg_execute_server_program TO machine_app;
EXCEPTION WHEN OTHERS THEN NULL; END $$";

const DROP_INVALID: &str = "DO $$ DECLARE i regclass; BEGIN
    FOR i IN SELECT indexrelid FROM pg_index WHERE NOT indisvalid AND indrelid >= 16384 LOOP EXECUTE 'DROP INDEX ' || i; END LOOP;
END $$";

const EMPTY: &str = "DO $$ DECLARE n text; BEGIN
    FOR n IN SELECT quote_ident(pubname) FROM pg_publication LOOP EXECUTE 'DROP PUBLICATION ' || n; END LOOP;
    FOR n IN SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE 'DROP SCHEMA ' || n || ' CASCADE';
    END LOOP;
    FOR n IN SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r' LOOP
        EXECUTE 'DROP TABLE IF EXISTS pg_temp.' || n || ' CASCADE';
    END LOOP;
    ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM machine_app;
    ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM machine_app;
    ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM machine_app;
    CREATE SCHEMA public;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
END $$";

const TRY: &str =
    "CREATE FUNCTION pg_temp.machine_try(texts pg_catalog.text[], given pg_catalog.text[], role pg_catalog.text)
    RETURNS TABLE (code pg_catalog.text, message pg_catalog.text) LANGUAGE plpgsql AS $try$
    DECLARE r record; call pg_catalog.text;
    BEGIN
        FOR i IN 1 .. coalesce(array_length(texts, 1), 0) LOOP
            code := NULL;
            message := '';
            BEGIN
                IF role IS NOT NULL THEN
                    EXECUTE 'SET LOCAL ROLE ' || role;
                END IF;
                IF texts[i] LIKE 'COPY %' THEN
                    EXECUTE texts[i];
                ELSE
                    EXECUTE 'PREPARE machine_query AS ' || texts[i];
                    call := 'EXECUTE machine_query' || CASE WHEN given[i] <> '' THEN '(' || given[i] || ')' ELSE '' END;
                    IF texts[i] LIKE 'SELECT %' THEN
                        FOR r IN EXECUTE call LOOP
                            message := message || r::pg_catalog.text || E'\\n';
                        END LOOP;
                    ELSE
                        EXECUTE call;
                    END IF;
                END IF;
                RAISE EXCEPTION SQLSTATE 'ZZZZZ';
            EXCEPTION
                WHEN SQLSTATE 'ZZZZZ' THEN NULL;
                -- An ASSERT is none of the others.
                WHEN OTHERS OR ASSERT_FAILURE THEN
                    code := SQLSTATE;
                    message := SQLERRM;
            END;
            BEGIN DEALLOCATE machine_query; EXCEPTION WHEN OTHERS THEN NULL; END;
            RETURN NEXT;
        END LOOP;
    END $try$";

const ROWS: &str = "CREATE FUNCTION pg_temp.machine_rows() RETURNS TABLE (name pg_catalog.text, content pg_catalog.text) LANGUAGE plpgsql AS $rows$
    DECLARE t pg_catalog.regclass;
    BEGIN
        FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' LOOP
            name := t::pg_catalog.text;
            content := NULL;
            RETURN NEXT;
            RETURN QUERY EXECUTE format('SELECT %L, to_jsonb(machine_row)::text FROM ONLY %s machine_row', t::pg_catalog.text, t);
        END LOOP;
    END $rows$";

const LOCKS: &str = "SELECT DISTINCT l.relation, l.mode FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.mode <> 'AccessShareLock'";

const TABLES: &str = "SELECT c.oid, c.oid::regclass::text,
        coalesce((SELECT string_agg(inhparent::regclass::text, ' ') FROM pg_inherits WHERE inhrelid = c.oid), '') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

const CHANGING: &str = "SELECT c.oid::regclass::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND a.attnum > 0 AND NOT a.attisdropped
      AND (a.attidentity <> '' OR a.attgenerated <> '' OR pg_get_expr(d.adbin, d.adrelid) ~ 'nextval|now\\(\\)|CURRENT|random')";
