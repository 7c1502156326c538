//! Migrations on a throwaway database, in the files' order: what production has, and what a fresh installation runs. As psql does, rows
//! behind `COPY … FROM STDIN` are sent; what is about the whole server (databases, tablespaces) is passed over, and roles are made once.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::PoisonError;

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::error::{RehearsalError, Whose};
use super::terms::Terms;
use crate::diagnostic::{Diagnostic, codes};
use crate::migrations::{Folder, Migration};
use crate::postgres::throwaway::{MadeRoles, Throwaway, ThrowawayError};
use crate::postgres::{first_row, server_message};
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
    /// Those that the server had before.
    before: BTreeSet<String>,
    /// Where they are noted that go with the server.
    made: Option<MadeRoles>,
}

impl Met {
    /// Notes the roles that a text says it makes.
    pub(super) fn names_roles(&mut self, text: &str) {
        created_roles(text).into_iter().for_each(|role| self.makes_role(role));
    }

    fn makes_role(&mut self, role: String) {
        if let Some(made) = self.made.as_ref().filter(|_| !self.before.contains(&role)) {
            made.lock().unwrap_or_else(PoisonError::into_inner).insert(role.clone());
        }
        self.roles.insert(role);
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
        let (statements, found) = self.folder.statements(migration);
        if let Some((place, message)) = self.not_for_the_server(&found, whose) {
            return Err(RehearsalError::Base { whose, place, message });
        }
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
                Whose::Production | Whose::Dump | Whose::Seed => self.of_production(statement, atomic, whose).await,
                Whose::Release => self.as_it_is(statement).await,
            };
            done.map_err(|fault| self.failed(fault, self.folder.sources.place(statement.span), whose))?;
        }
        if atomic {
            self.own("COMMIT", &path, whose).await?;
        }
        if matches!(whose, Whose::Dump | Whose::Seed) && self.is_within_a_transaction().await {
            let message = "it leaves a transaction open: nothing that it did is there at the end".to_owned();
            return Err(RehearsalError::Base { whose, place: path, message });
        }
        self.own("RESET ALL; RESET SESSION AUTHORIZATION", &path, whose).await
    }

    /// What psql would do of a file and nobody does here, where rows would be missing without a word.
    fn not_for_the_server(&self, found: &[Diagnostic], whose: Whose) -> Option<(String, String)> {
        let lines =
            found.iter().filter(|found| found.code == codes::META_COMMAND).filter_map(|found| found.labels.first());
        let lines = lines.map(|label| (self.folder.sources.place(label.span), self.folder.sources.slice(label.span)));
        let connects = |line: &str| line.starts_with("\\c ") || line.starts_with("\\connect");
        match whose {
            Whose::Seed => {
                let harmless = |line: &str| HARMLESS.iter().any(|command| line.starts_with(command));
                let (place, line) = lines.into_iter().find(|(_, line)| !harmless(line))?;
                let command = line.split_whitespace().next().unwrap_or_default();
                Some((place, format!("{command} is a command of psql, and no statement that the server knows")))
            }
            Whose::Dump => {
                let (place, _) = lines.filter(|(_, line)| connects(line)).nth(1)?;
                Some((place, "this begins another database: make a dump of each (pg_dump)".to_owned()))
            }
            Whose::Production | Whose::Release => None,
        }
    }

    /// Whether a file has begun a transaction and not ended it.
    async fn is_within_a_transaction(&self) -> bool {
        let query = "SELECT pg_catalog.now() = pg_catalog.statement_timestamp()";
        // One that has failed answers nothing. Both times are the same where the statement is a transaction of its own, sent in one piece.
        let answer = self.client.simple_query(query).await;
        answer.ok().as_deref().and_then(first_row).and_then(|row| row.get(0)) != Some("t")
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
    async fn of_production(&mut self, statement: &Statement, atomic: bool, whose: Whose) -> Result<(), Fault> {
        let text = self.folder.sources.slice(statement.span);
        let words: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).take(400).collect();
        if let (Whose::Dump, Some(setting)) = (whose, database_setting(&words)) {
            // What a database says of its sessions holds for those that come.
            let database: String =
                self.client.query_one("SELECT pg_catalog.current_database()::text", &[]).await?.get(0);
            return self.send(&format!("ALTER DATABASE {} {}", sql::name::Quoted(&database), &text[setting..])).await;
        }
        if let Some(what) = passed_over(&words, whose, &self.met.before) {
            let place = self.folder.sources.place(statement.span);
            self.met.notes.insert(format!("{place}: this {what} and was passed over"));
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
                self.met.makes_role(role.clone());
                self.send(&format!("CREATE ROLE {}", sql::name::Quoted(&role))).await?;
                let note =
                    format!("{place}: role {role} is not on the throwaway server; it was made there for this run");
                self.met.notes.insert(note);
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

/// Commands of psql without which a file does the same.
const HARMLESS: &[&str] = &[
    "\\restrict",
    "\\unrestrict",
    "\\set ON_ERROR_STOP",
    "\\echo",
    "\\timing",
    "\\pset",
    "\\encoding UTF8",
    "\\encoding utf8",
];

/// A statement may name several roles that are not there.
const MOST_ROLES: usize = 50;

fn begins(words: &[Lexeme<'_>], verbs: &[&str], nouns: &[&str]) -> bool {
    matches!(words, [verb, noun, ..] if verb.is_any(verbs) && noun.is_any(nouns))
}

/// What a statement does that is none of a trial's.
fn passed_over(words: &[Lexeme<'_>], whose: Whose, before: &BTreeSet<String>) -> Option<&'static str> {
    if whose == Whose::Dump && begins(words, &["create", "alter"], &["subscription"]) {
        return Some("would begin to replicate from another server,");
    }
    if only_roles_of(words, before) {
        return Some("changes a role that the server had before,");
    }
    is_of_the_server(words).then_some("is about the whole server")
}

/// `CREATE DATABASE` and its like: nothing of it is in the schema of a database.
fn is_of_the_server(words: &[Lexeme<'_>]) -> bool {
    begins(words, &["create", "alter", "drop"], &["database", "tablespace", "system"])
        || begins(words, &["comment"], &["on"])
            && words.get(2).is_some_and(|noun| noun.is_any(&["database", "tablespace"]))
}

/// Where the setting begins that a database gives its sessions.
fn database_setting(words: &[Lexeme<'_>]) -> Option<usize> {
    match words {
        [verb, noun, _, set, name, ..]
            if verb.is("alter") && noun.is("database") && set.is_any(&["set", "reset"]) && !name.is("tablespace") =>
        {
            Some(set.at)
        }
        _ => None,
    }
}

/// Whether a statement changes nothing but roles that are among these: it would be a change that stays.
pub(super) fn only_roles_of(words: &[Lexeme<'_>], known: &BTreeSet<String>) -> bool {
    const NOBODY_NEW: &[&str] = &["all", "current_user", "session_user", "current_role", "public"];
    let is_known =
        |word: &Lexeme<'_>| word.is_any(NOBODY_NEW) || role_name(word).is_some_and(|role| known.contains(&role));
    let all = |words: &mut dyn Iterator<Item = &Lexeme<'_>>| {
        let mut names = words.filter(|word| role_name(word).is_some()).peekable();
        names.peek().is_some() && names.all(is_known)
    };
    match words {
        [verb, noun, name, ..]
            if verb.is("alter") && noun.is_any(&["role", "user", "group"]) && !name.is("mapping") =>
        {
            is_known(name) || words.windows(2).any(|two| two[0].is("in") && two[1].is("database"))
        }
        [verb, noun, names @ ..] if verb.is("drop") && noun.is_any(&["role", "user", "group"]) => {
            let named = names.iter().filter(|word| !word.is_any(&["if", "exists"]));
            !names.first().is_some_and(|name| name.is("mapping")) && all(&mut named.into_iter())
        }
        [verb, names @ ..] if verb.is_any(&["grant", "revoke"]) && !words.iter().any(|word| word.is("on")) => {
            let until = names.iter().position(|word| word.is_any(&["with", "granted", "cascade", "restrict"]));
            let names = &names[..until.unwrap_or(names.len())];
            all(&mut names
                .iter()
                .filter(|word| !word.is_any(&["to", "from", "admin", "inherit", "set", "option", "for"])))
        }
        [verb, on, noun, name, ..] if verb.is("comment") && on.is("on") && noun.is("role") => is_known(name),
        _ => false,
    }
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

    /// What is met in one of its databases.
    pub(super) fn met(&self) -> Met {
        Met { before: self.before.clone(), made: self.server.made_roles(), ..Met::default() }
    }

    /// An error if a migration changes roles that are somebody's: that would stay.
    pub(super) fn spare(&self, folder: &Folder, migrations: &[Migration]) -> Result<(), RehearsalError> {
        if self.server.made_roles().is_none() {
            return Ok(());
        }
        for statement in migrations.iter().flat_map(|migration| folder.statements(migration).0) {
            let words = lex(folder.sources.slice(statement.span)).into_iter().filter(Lexeme::solid).take(400);
            if only_roles_of(&words.collect::<Vec<_>>(), &self.before) {
                return Err(RehearsalError::RoleOfTheServer { place: folder.sources.place(statement.span) });
            }
        }
        Ok(())
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
    fn what_changes_roles_that_were_there() {
        let known = BTreeSet::from(["bob".to_owned(), "Me".to_owned(), "pg_read_all_data".to_owned()]);
        let check = |text: &str, expected: bool| assert_eq!(only_roles_of(&words(text), &known), expected, "{text}");
        check("ALTER ROLE bob WITH SUPERUSER PASSWORD 'x'", true);
        check("alter user \"Me\" set search_path to a", true);
        check("ALTER ROLE CURRENT_USER SET work_mem = '1GB'", true);
        check("ALTER ROLE ALL SET work_mem = '1GB'", true);
        check("ALTER ROLE new IN DATABASE shop SET work_mem = '1GB'", true);
        check("ALTER ROLE new SET work_mem = '1GB'", false);
        check("ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET user 'x')", false);
        check("DROP ROLE IF EXISTS bob", true);
        check("DROP ROLE bob, new", false);
        check("DROP USER MAPPING FOR bob SERVER s", false);
        check("GRANT pg_read_all_data TO bob WITH ADMIN OPTION", true);
        check("GRANT pg_read_all_data TO new", false);
        check("GRANT new TO bob", false);
        check("REVOKE ADMIN OPTION FOR pg_read_all_data FROM bob", true);
        check("GRANT SELECT ON t TO bob", false);
        check("COMMENT ON ROLE bob IS 'x'", true);
        check("COMMENT ON TABLE bob IS 'x'", false);
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
