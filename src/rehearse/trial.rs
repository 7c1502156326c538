//! Migrations on a throwaway database, in the files' order: what production has, and what a fresh installation runs. As psql does, rows
//! behind `COPY … FROM STDIN` are sent; what is about the whole server (databases, tablespaces) is passed over, and roles are made once.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::error::{RehearsalError, Whose};
use super::terms::Terms;
use crate::migrations::{Folder, Migration};
use crate::postgres::server_message;
use crate::postgres::throwaway::{Throwaway, ThrowawayError};
use crate::sql::lex::{Lexeme, TokenKind, lex};
use crate::sql::{self, Operation, Statement};

/// Why a statement did not run.
enum Fault {
    Refused(Error),
    Slow,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// What was met on the way.
#[derive(Debug, Clone, Default)]
pub(super) struct Met {
    /// What was done otherwise than the files say.
    pub(super) notes: BTreeSet<String>,
    /// Roles that were made because the files name them.
    roles: BTreeSet<String>,
}

impl Met {
    /// Notes the roles that a text says it makes.
    pub(super) fn names_roles(&mut self, text: &str) {
        self.roles.extend(created_roles(text));
    }
}

/// One database of a trial.
pub(super) struct Trial<'a> {
    client: &'a Client,
    folder: &'a Folder,
    terms: Terms<'a>,
    met: &'a mut Met,
}

impl<'a> Trial<'a> {
    pub(super) fn new(client: &'a Client, folder: &'a Folder, terms: Terms<'a>, met: &'a mut Met) -> Self {
        Self { client, folder, terms, met }
    }

    /// Brings the database to where production is: by the dump, if there is one, or else by its migrations.
    pub(super) async fn production(&mut self, applied: &[Migration]) -> Result<(), RehearsalError> {
        match self.terms.base {
            Some(base) => {
                self.run(std::slice::from_ref(base), Whose::Dump).await?;
                // A dump brings the journal of earlier releases, which is none of this one's.
                self.own("DROP SCHEMA IF EXISTS cutover CASCADE", base.path.as_str(), Whose::Dump).await
            }
            None => self.run(applied, Whose::Production).await,
        }
    }

    /// Runs migrations in the files' order, statement by statement, each file in a transaction unless a statement of it refuses one.
    pub(super) async fn run(&mut self, migrations: &[Migration], whose: Whose) -> Result<(), RehearsalError> {
        for migration in migrations {
            if let Some(language) = migration.program {
                let path = self.folder.sources.file(migration.file).path.to_string();
                return Err(RehearsalError::Program { path, language });
            }
            self.file(migration, whose).await?;
        }
        Ok(())
    }

    async fn file(&mut self, migration: &Migration, whose: Whose) -> Result<(), RehearsalError> {
        let (statements, _) = self.folder.statements(migration);
        let own = |s: &Statement| s.pieces.iter().any(|p| matches!(p.operation, Operation::Transaction(_)));
        let atomic =
            migration.in_transaction && statements.iter().all(|s| s.transactional && !own(s)) && !statements.is_empty();
        let path = self.folder.sources.file(migration.file).path.to_string();
        if atomic {
            self.own("BEGIN", &path, whose).await?;
        }
        for statement in &statements {
            self.met.names_roles(self.folder.sources.slice(statement.span));
            let done = match whose {
                Whose::Production | Whose::Dump | Whose::Seed => self.of_production(statement, atomic).await,
                Whose::Release => self.as_it_is(statement).await,
            };
            done.map_err(|fault| self.failed(fault, self.folder.sources.place(statement.span), whose))?;
        }
        if atomic {
            self.own("COMMIT", &path, whose).await?;
        }
        self.own("RESET ALL; RESET SESSION AUTHORIZATION", &path, whose).await
    }

    async fn own(&self, sql: &str, place: &str, whose: Whose) -> Result<(), RehearsalError> {
        self.send(sql).await.map_err(|fault| self.failed(fault, place.to_owned(), whose))
    }

    fn failed(&self, fault: Fault, place: String, whose: Whose) -> RehearsalError {
        match fault {
            Fault::Slow => RehearsalError::Limit { what: place, limit: self.terms.limit },
            Fault::Refused(error) => RehearsalError::Base { whose, place, message: server_message(&error) },
        }
    }

    async fn send(&self, sql: &str) -> Result<(), Fault> {
        self.limited(self.client.batch_execute(sql)).await
    }

    async fn limited<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.terms.limit, work).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(Fault::Slow),
        }
    }

    async fn as_it_is(&self, statement: &Statement) -> Result<(), Fault> {
        let text = self.folder.sources.slice(statement.span);
        if !sql::copies_from_stdin(text) {
            return self.send(text).await;
        }
        if self.terms.skip_data {
            return Ok(());
        }
        let rows = statement.rows.map_or("", |rows| self.folder.sources.slice(rows));
        let rows = Bytes::copy_from_slice(rows.as_bytes());
        self.limited(async {
            let mut sink = pin!(self.client.copy_in::<_, Bytes>(text).await?);
            sink.send(rows).await?;
            sink.finish().await
        })
        .await
        .map(|_| ())
    }

    /// A dump is made for psql, which goes on behind what its server does not know.
    async fn of_production(&mut self, statement: &Statement, atomic: bool) -> Result<(), Fault> {
        let text = self.folder.sources.slice(statement.span);
        let words: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).take(400).collect();
        if is_of_the_server(&words) {
            let place = self.folder.sources.place(statement.span);
            self.met.notes.insert(format!("{place}: this is about the whole server and was passed over"));
            return Ok(());
        }
        if !may_be_let_go(&words) {
            return self.as_it_is(statement).await;
        }
        // What fails in a transaction fails for all of it.
        let (before, after) = if atomic { ("SAVEPOINT cutover", "RELEASE SAVEPOINT cutover") } else { ("", "") };
        for _ in 0..MOST_ROLES {
            self.send(before).await?;
            let error = match self.as_it_is(statement).await {
                Ok(()) => return self.send(after).await,
                Err(Fault::Slow) => return Err(Fault::Slow),
                Err(Fault::Refused(error)) => error,
            };
            if atomic {
                self.send("ROLLBACK TO SAVEPOINT cutover").await?;
            }
            let place = self.folder.sources.place(statement.span);
            if let Some(role) = missing_role(&error) {
                self.send(&format!("CREATE ROLE {}", sql::name::Quoted(&role))).await?;
                let note =
                    format!("{place}: role {role} is not on the throwaway server; it was made there for this run");
                self.met.notes.insert(note);
                self.met.roles.insert(role);
                continue;
            }
            let known =
                [SqlState::UNDEFINED_OBJECT, SqlState::INVALID_PARAMETER_VALUE, SqlState::CANT_CHANGE_RUNTIME_PARAM];
            let is_setting = words.first().is_some_and(|word| word.is("set"));
            if is_setting && error.code().is_some_and(|code| known.contains(code)) {
                let note = format!("{place}: this setting was passed over: {}", server_message(&error));
                self.met.notes.insert(note);
                return Ok(());
            }
            if is_new_role(&words) && error.code() == Some(&SqlState::DUPLICATE_OBJECT) {
                return Ok(());
            }
            return Err(Fault::Refused(error));
        }
        self.as_it_is(statement).await
    }
}

/// A statement may name several roles that are not there.
const MOST_ROLES: usize = 50;

fn begins(words: &[Lexeme<'_>], verbs: &[&str], nouns: &[&str]) -> bool {
    matches!(words, [verb, noun, ..] if verb.is_any(verbs) && noun.is_any(nouns))
}

/// `CREATE DATABASE` and its like: nothing of it is in the schema of a database.
fn is_of_the_server(words: &[Lexeme<'_>]) -> bool {
    begins(words, &["create", "alter", "drop"], &["database", "tablespace", "system"])
        || begins(words, &["comment"], &["on"])
            && words.get(2).is_some_and(|noun| noun.is_any(&["database", "tablespace"]))
}

fn is_new_role(words: &[Lexeme<'_>]) -> bool {
    begins(words, &["create"], &["role", "user", "group"])
}

/// Whether a statement names roles, or settings, that this server may not have.
fn may_be_let_go(words: &[Lexeme<'_>]) -> bool {
    const NAMING: &[&str] =
        &["role", "user", "group", "owner", "grant", "revoke", "authorization", "policy", "privileges"];
    words.first().is_some_and(|word| word.is("set")) || words.iter().any(|word| word.is_any(NAMING))
}

/// The roles that a text says it makes, also within a DO block.
fn created_roles(text: &str) -> Vec<String> {
    roles_within(text, 0)
}

fn roles_within(text: &str, depth: usize) -> Vec<String> {
    /// DO, its EXECUTE, and a string in that.
    const DEEPEST: usize = 4;
    let mut roles = Vec::new();
    let words: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).collect();
    for three in words.windows(3) {
        if is_new_role(&three[..2]) {
            roles.extend(role_name(&three[2]));
        }
    }
    for body in words.iter().filter(|word| word.kind == TokenKind::Text && word.text.len() < text.len()) {
        let inner = body.text.trim_start_matches(|c: char| c != '\'' && c != '$');
        let quote =
            if inner.starts_with('\'') { Some(1) } else { inner[1.min(inner.len())..].find('$').map(|at| at + 2) };
        let Some(inner) = quote.and_then(|quote| inner.get(quote..inner.len().saturating_sub(quote))) else { continue };
        if inner.len() > 10 && depth < DEEPEST {
            roles.extend(roles_within(inner, depth + 1));
        }
    }
    roles
}

fn role_name(word: &Lexeme<'_>) -> Option<String> {
    match word.kind {
        TokenKind::Word => Some(word.text.to_ascii_lowercase()),
        TokenKind::Name => Some(word.text.trim_matches('"').replace("\"\"", "\"")),
        _ => None,
    }
}

/// The role that the server does not have, by its message.
fn missing_role(error: &Error) -> Option<String> {
    let error = error.as_db_error().filter(|error| *error.code() == SqlState::UNDEFINED_OBJECT)?;
    let name = error.message().strip_prefix("role \"")?;
    name.rsplit_once('"').map(|(name, _)| name.to_owned())
}

/// Roles belong to a server and not to a database: what a trial made of them goes with its databases.
pub(super) struct Roles<'a> {
    server: &'a Throwaway,
    before: BTreeSet<String>,
}

impl<'a> Roles<'a> {
    /// Looks at the roles that are there.
    pub(super) async fn look(server: &'a Throwaway) -> Result<Self, ThrowawayError> {
        Ok(Self { server, before: server.roles().await? })
    }

    /// Drops a database, and the roles that were made for it.
    pub(super) async fn forget(&self, database: &crate::postgres::Target, met: &Met) -> Result<(), ThrowawayError> {
        match self.made(met) {
            made if made.is_empty() => Ok(()),
            made => self.server.forget(database, &made).await,
        }
    }

    /// The roles that were made for a database.
    pub(super) fn made(&self, met: &Met) -> Vec<String> {
        met.roles.difference(&self.before).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Lexeme<'_>> {
        lex(text).into_iter().filter(Lexeme::solid).collect()
    }

    #[test]
    fn what_is_about_the_whole_server() {
        let check = |text: &str, expected: bool| assert_eq!(is_of_the_server(&words(text)), expected, "{text}");
        check("CREATE DATABASE shop WITH TEMPLATE = template0", true);
        check("alter database shop owner to me", true);
        check("CREATE TABLESPACE fast LOCATION '/x'", true);
        check("COMMENT ON DATABASE shop IS 'x'", true);
        check("ALTER SYSTEM SET work_mem = '1MB'", true);
        check("CREATE TABLE database (id int)", false);
        check("CREATE ROLE a", false);
    }

    #[test]
    fn the_roles_that_a_text_makes() {
        let check = |text: &str, expected: &[&str]| assert_eq!(created_roles(text), expected, "{text}");
        check("CREATE ROLE web_anon NOLOGIN", &["web_anon"]);
        check("create user \"Me\" password 'CREATE ROLE x'", &["Me", "x"]);
        check("DO $$ BEGIN CREATE ROLE a; EXCEPTION WHEN duplicate_object THEN NULL; END $$", &["a"]);
        check("DO $do$ BEGIN EXECUTE 'CREATE ROLE b LOGIN'; END $do$", &["b"]);
        check("CREATE TABLE role (id int)", &[]);
    }
}
