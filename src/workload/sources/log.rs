//! PostgreSQL's own log, as csvlog or jsonlog: what applications sent (`log_statement = all`, or `log_min_duration_statement`).
//!
//! A statement is logged once when it is run (`statement: …`, `execute name: …`), and perhaps as `parse` and `bind` before; only the former
//! count. Values of parameters stand in the detail and are dropped unless they are wanted.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use camino::Utf8Path;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Source;
use super::saved::{SavedStatement, SavedTransaction};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{FileId, Sources, Span};
use crate::sql;
use crate::sql::lex::{Lexeme, TokenKind, lex};
use crate::workload::detect::begins;
use crate::workload::error::WorkloadError;
use crate::workload::fingerprint::{Fingerprint, fingerprint, own_name, summary};
use crate::workload::found::{self, Found, left_out};
use crate::workload::placeholder::Style;
use crate::workload::text::Text;
use crate::workload::{Workload, file};

pub(super) static SOURCE: Source = Source {
    word: "log",
    aliases: &["csvlog", "jsonlog"],
    what: "a log of PostgreSQL",
    reads: "a csvlog or jsonlog of PostgreSQL: `log:pg.json#application_name=shop`",
    is: is_here,
    load: |location| load(Utf8Path::new(&location.path), &location.filter),
};

fn is_here(path: &Utf8Path) -> Result<bool, WorkloadError> {
    // A line of csvlog begins with a time; an entry of jsonlog has a severity.
    let entry = |text: &str| {
        let line = text.lines().next().unwrap_or_default();
        let csv = line.split(',').count() > 10 && line.starts_with(|c: char| c.is_ascii_digit());
        let json = line.starts_with("{\"timestamp\"") || (line.starts_with('{') && line.contains("\"error_severity\""));
        csv || json
    };
    if path.is_file() {
        return begins(path, entry);
    }
    let mut found = false;
    if path.is_dir() {
        for file in path.read_dir_utf8()? {
            let file = file?;
            let log = file.path().is_file() && format_of(file.path()).is_some();
            found |= log && begins(file.path(), entry)?;
        }
    }
    Ok(found)
}

/// Whose statements count; what is not given is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// `application_name`
    pub application: Option<String>,
    /// The role.
    pub user: Option<String>,
    /// The database.
    pub database: Option<String>,
    /// An `application_name` whose statements do not count.
    pub not_application: Vec<String>,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `log_destination = csvlog`
    Csv,
    /// `log_destination = jsonlog`
    Json,
}

/// What a log holds.
#[derive(Debug)]
pub struct Recording {
    /// Each query once.
    pub workload: Workload,
    /// Everything in its order, with the values; empty unless they were wanted.
    pub transactions: Vec<SavedTransaction>,
    /// What was left out, and what cannot be read.
    pub diagnostics: Vec<Diagnostic>,
}

/// Statements that need nothing of the schema.
const SESSION: &[&str] = &[
    "abort",
    "begin",
    "checkpoint",
    "close",
    "commit",
    "deallocate",
    "discard",
    "end",
    "execute",
    "fetch",
    "listen",
    "load",
    "move",
    "notify",
    "prepare",
    "release",
    "reset",
    "rollback",
    "savepoint",
    "set",
    "show",
    "start",
    "unlisten",
];

/// Statements that are no queries of an application, but of who looks after the schema.
const SCHEMA: &[&str] = &[
    "alter", "analyze", "cluster", "comment", "create", "drop", "grant", "import", "reassign", "reindex", "revoke",
    "security", "vacuum",
];

/// Tables in which tools keep their own history: what they send is not the application's.
const HISTORIES: &[&str] = &[
    "__diesel_schema_migrations",
    "_prisma_migrations",
    "_sqlx_migrations",
    "__drizzle_migrations",
    "alembic_version",
    "ar_internal_metadata",
    "atlas_schema_revisions",
    "databasechangelog",
    "databasechangeloglock",
    "django_migrations",
    "flyway_schema_history",
    "goose_db_version",
    "refinery_schema_history",
    "schema_migrations",
    "_sqlx_test_databases",
];

/// What is sent to a server and is no query of an application: how many of each.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    schema: BTreeMap<String, u64>,
    tools: u64,
    catalogs: u64,
}

impl LeftOut {
    /// Whether it is left out.
    pub(super) fn takes(&mut self, verb: &str, text: &str) -> bool {
        if verb.is_empty() || SESSION.contains(&verb) {
            return true;
        }
        if SCHEMA.contains(&verb) {
            *self.schema.entry(verb.to_uppercase()).or_default() += 1;
            return true;
        }
        let lower = text.to_ascii_lowercase();
        if HISTORIES.iter().any(|table| lower.contains(table)) {
            self.tools += 1;
            return true;
        }
        let catalogs = lower.contains("pg_") || lower.contains("information_schema");
        if catalogs && only_catalogs(text) {
            self.catalogs += 1;
            return true;
        }
        false
    }

    /// What to say of it.
    pub(super) fn told(&self) -> Vec<Diagnostic> {
        let mut told = Vec::new();
        let list: Vec<_> = self.schema.iter().map(|(verb, count)| format!("{count} {verb}")).collect();
        if !list.is_empty() {
            told.push(format!(
                "statements that change the schema are no queries and were left out: {}",
                list.join(", ")
            ));
        }
        for (count, what) in [(self.tools, "the tables of migration tools"), (self.catalogs, "nothing but catalogs")] {
            if count > 0 {
                told.push(format!("statements on {what} are not the application's and were left out: {count}"));
            }
        }
        let info = |message: String| Diagnostic { severity: Severity::Info, ..left_out(message) };
        told.into_iter().map(info).collect()
    }
}

/// Whether every relation that is named belongs to PostgreSQL.
fn only_catalogs(text: &str) -> bool {
    let lexemes: Vec<_> = lex(text).into_iter().filter(Lexeme::solid).collect();
    let named = lexemes.windows(2).filter(|pair| pair[0].is_any(&["from", "join", "into", "update"]));
    let mut names =
        named.map(|pair| pair[1]).filter(|l| matches!(l.kind, TokenKind::Word | TokenKind::Name)).peekable();
    let own = |l: Lexeme<'_>| {
        let name = l.text.trim_matches('"').to_ascii_lowercase();
        name.starts_with("pg_") || name == "information_schema"
    };
    names.peek().is_some() && names.all(own) && !text.contains(',')
        || names.all(own) && lexemes.iter().any(|l| l.is("pg_catalog") || l.is("information_schema"))
}

/// Reads the logs of a folder, or one.
fn load(path: &Utf8Path, filter: &Filter) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    let files = file::below(path, |file| format_of(file).is_some())?;
    let mut sources = Sources::new();
    for path in &files {
        sources.add(path.clone(), text(path)?);
    }
    let Recording { workload, diagnostics, .. } = read(sources, filter, false);
    if workload.queries.is_empty() && diagnostics.is_empty() {
        let wanted = "no statement was logged for that filter; a log shows them with log_statement = 'all' or \
                      log_min_duration_statement = 0, log_destination = csvlog or jsonlog, and lc_messages = 'C'";
        return Err(WorkloadError::Empty { path: path.to_owned(), wanted: wanted.into() });
    }
    Ok((workload, diagnostics))
}

/// A log may be cut off within a character.
fn text(path: &Utf8Path) -> Result<String, WorkloadError> {
    let bytes = fs_err::read(path)?;
    let cut = match std::str::from_utf8(&bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => return file::text(path),
    };
    Ok(String::from_utf8_lossy(&bytes[..cut]).into_owned())
}

/// The format by the file's name.
pub(super) fn format_of(path: &Utf8Path) -> Option<LogFormat> {
    match path.extension()? {
        "csv" => Some(LogFormat::Csv),
        "json" | "jsonl" | "ndjson" => Some(LogFormat::Json),
        _ => None,
    }
}

/// Reads logs that are in memory.
pub fn read(sources: Sources, filter: &Filter, with_values: bool) -> Recording {
    let mut reader = Reader { with_values, ..Reader::new(filter) };
    for (id, file) in sources.iter() {
        let format = format_of(&file.path).unwrap_or(match file.text.trim_start().starts_with('{') {
            true => LogFormat::Json,
            false => LogFormat::Csv,
        });
        match format {
            LogFormat::Csv => reader.csv(id, &file.path, &file.text),
            LogFormat::Json => reader.json(id, &file.path, &file.text),
        }
    }
    reader.done(sources)
}

/// One entry of a log.
struct Entry<'a> {
    user: Cow<'a, str>,
    database: Cow<'a, str>,
    session: Cow<'a, str>,
    severity: Cow<'a, str>,
    state: Cow<'a, str>,
    detail: Cow<'a, str>,
    statement: Cow<'a, str>,
    application: Cow<'a, str>,
    /// The message as it stands in the file, and where.
    message: (&'a str, usize),
}

#[derive(Deserialize)]
struct JsonEntry<'a> {
    #[serde(default, borrow)]
    user: Cow<'a, str>,
    #[serde(default, borrow)]
    dbname: Cow<'a, str>,
    #[serde(default, borrow)]
    session_id: Cow<'a, str>,
    #[serde(default, borrow)]
    error_severity: Cow<'a, str>,
    #[serde(default, borrow)]
    state_code: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(default, borrow)]
    detail: Cow<'a, str>,
    #[serde(default, borrow)]
    statement: Cow<'a, str>,
    #[serde(default, borrow)]
    application_name: Cow<'a, str>,
}

/// A query that was seen.
struct LogSeen {
    found: Found,
    calls: u64,
    /// How often PostgreSQL did not know what it names.
    refused: u64,
    state: String,
}

/// What a session is at.
#[derive(Default)]
struct LogSession {
    last: Option<(Fingerprint, String)>,
    open: Option<Vec<SavedStatement>>,
}

struct Reader<'f> {
    filter: &'f Filter,
    with_values: bool,
    order: Vec<Fingerprint>,
    seen: HashMap<Fingerprint, LogSeen>,
    sessions: HashMap<String, LogSession>,
    transactions: Vec<SavedTransaction>,
    left: LeftOut,
    diagnostics: Vec<Diagnostic>,
}

impl<'f> Reader<'f> {
    fn new(filter: &'f Filter) -> Self {
        Self {
            filter,
            with_values: false,
            order: Vec::new(),
            seen: HashMap::new(),
            sessions: HashMap::new(),
            transactions: Vec::new(),
            left: LeftOut::default(),
            diagnostics: Vec::new(),
        }
    }

    fn json(&mut self, id: FileId, path: &Utf8Path, text: &str) {
        let mut at = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let start = at;
            at += line.len();
            if line.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<JsonEntry<'_>>(line) {
                Ok(raw) => {
                    let message = raw.message.map_or(("", start), |raw| {
                        (raw.get(), start + (raw.get().as_ptr() as usize - line.as_ptr() as usize))
                    });
                    let entry = Entry {
                        user: raw.user,
                        database: raw.dbname,
                        session: raw.session_id,
                        severity: raw.error_severity,
                        state: raw.state_code,
                        detail: raw.detail,
                        statement: raw.statement,
                        application: raw.application_name,
                        message,
                    };
                    self.entry(id, &entry, Text::json);
                }
                Err(error) => {
                    let cut = at == text.len() && !line.ends_with('\n');
                    self.bad_line(id, path, number + 1, start..start, if cut { None } else { Some(&error) });
                }
            }
        }
    }

    fn csv(&mut self, id: FileId, path: &Utf8Path, text: &str) {
        const FIELDS: usize = 23;
        let mut at = 0;
        let mut line = 1;
        while at < text.len() {
            let (fields, end, closed) = csv_record(text, at);
            let (start, number) = (at, line);
            line += text[at..end].bytes().filter(|b| *b == b'\n').count();
            at = end;
            if fields.len() < 2 && fields.first().is_none_or(|f| f.0.trim().is_empty()) {
                continue;
            }
            let cut = end == text.len() && !(closed && text.ends_with('\n'));
            if fields.len() < FIELDS || !closed {
                let reason = format!("{} fields, and a csvlog has {FIELDS} or more", fields.len());
                self.bad_line(id, path, number, start..start, if cut { None } else { Some(&reason) });
                continue;
            }
            let field = |i: usize| fields.get(i).map_or(Cow::Borrowed(""), |(raw, _)| undouble(raw));
            let entry = Entry {
                user: field(1),
                database: field(2),
                session: field(5),
                severity: field(11),
                state: field(12),
                detail: field(14),
                statement: field(19),
                application: field(22),
                message: fields[13],
            };
            self.entry(id, &entry, |raw, at| Text::doubled(raw, at, '"'));
        }
    }

    fn bad_line(
        &mut self,
        id: FileId,
        path: &Utf8Path,
        line: usize,
        range: std::ops::Range<usize>,
        error: Option<&dyn std::fmt::Display>,
    ) {
        let message = match error {
            None => format!("{path}:{line}: the log ends within this entry, which is left out"),
            Some(error) => format!("{path}:{line}: this is no entry of a PostgreSQL log and is left out: {error}"),
        };
        self.diagnostics.push(left_out(message).at(Span::new(id, range), ""));
    }

    fn entry(&mut self, id: FileId, entry: &Entry<'_>, decode: impl Fn(&str, usize) -> Text) {
        let wants = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let Filter { application, user, database, not_application } = self.filter;
        if !wants(application, &entry.application)
            || !wants(user, &entry.user)
            || !wants(database, &entry.database)
            || not_application.iter().any(|name| *name == entry.application)
        {
            return;
        }
        if matches!(&*entry.severity, "ERROR" | "FATAL" | "PANIC") {
            self.failed(entry);
            return;
        }
        if entry.severity != "LOG" {
            return;
        }
        let message = decode(entry.message.0, entry.message.1);
        let Some(start) = statement_of(message.as_str()) else { return };
        let all = message.as_str();
        let span = |text: &Text, len: usize| Span::new(id, text.place(0)..text.place(len.saturating_sub(1)) + 1);
        let values = if self.with_values { parameters(&entry.detail) } else { Vec::new() };
        // A simple query may be several statements; their comments stay with them.
        let mut from = start;
        for (range, _) in sql::split_queries(&all[start..]) {
            let end = start + range.end;
            let begin =
                from + (all[from..end].len() - all[from..end].trim_start_matches([';', ' ', '\n', '\r', '\t']).len());
            from = end;
            let text = message.part(begin..end);
            let span = span(&text, text.as_str().len());
            self.statement(entry, text, span, &values);
        }
    }

    fn statement(&mut self, entry: &Entry<'_>, text: Text, span: Span, values: &[Option<String>]) {
        let text = inner(text);
        let first =
            lex(text.as_str()).into_iter().find(|l| l.solid() && !l.symbol("(")).map(|l| l.text.to_ascii_lowercase());
        let verb = first.unwrap_or_default();
        let session = self.sessions.entry(entry.session.to_string()).or_default();
        if self.with_values {
            let statement = SavedStatement { text: text.as_str().to_owned(), parameters: values.to_vec() };
            transaction(session, &mut self.transactions, &verb, statement);
        }
        if self.left.takes(&verb, text.as_str()) {
            session.last = None;
            return;
        }
        let print = fingerprint(text.as_str());
        session.last = Some((print.clone(), text.as_str().to_owned()));
        if let Some(seen) = self.seen.get_mut(&print) {
            seen.calls += 1;
            return;
        }
        let name = own_name(text.as_str()).unwrap_or_else(|| summary(text.as_str()));
        self.order.push(print.clone());
        let found = Found::with_text(name, span, text);
        self.seen.insert(print, LogSeen { found, calls: 1, refused: 0, state: String::new() });
    }

    /// A statement that named what is not there (class 42) is no query of the version.
    fn failed(&mut self, entry: &Entry<'_>) {
        let Some(session) = self.sessions.get_mut(&*entry.session) else { return };
        let Some((print, text)) = session.last.take() else { return };
        // What failed on its own is not played again; in a transaction, its end tells.
        if session.open.is_none() && entry.statement.contains(&*text) {
            let one = |t: &SavedTransaction| matches!(t.statements.as_slice(), [only] if only.text == text);
            if let Some(at) = self.transactions.iter().rposition(one) {
                self.transactions.remove(at);
            }
        }
        if !entry.statement.contains(&*text) || !entry.state.starts_with("42") {
            return;
        }
        if let Some(seen) = self.seen.get_mut(&print) {
            seen.refused += 1;
            seen.state = entry.state.to_string();
        }
    }

    fn done(mut self, sources: Sources) -> Recording {
        let mut found = Vec::with_capacity(self.order.len());
        for print in &self.order {
            let Some(seen) = self.seen.remove(print) else { continue };
            if seen.refused >= seen.calls {
                let LogSeen { found, state, .. } = seen;
                let message = format!("{} is left out: PostgreSQL refused it every time ({state})", found.name);
                self.diagnostics.push(left_out(message).at(found.span, "as it was logged"));
            } else {
                found.push(Found { calls: Some(seen.calls), ..seen.found });
            }
        }
        self.diagnostics.extend(self.left.told());
        for (_, session) in self.sessions {
            let open = |statements| SavedTransaction { statements, ended: false, rolled_back: false };
            self.transactions.extend(session.open.map(open));
        }
        let (workload, unread) = found::workload(sources, found, Style::Sent);
        self.diagnostics.extend(unread);
        Recording { workload, transactions: self.transactions, diagnostics: self.diagnostics }
    }
}

/// Statements that hold another, which is the query, behind a word.
const HOLDERS: &[(&str, &str)] = &[("prepare", "as"), ("declare", "for")];

/// The query in `PREPARE p AS …`, `DECLARE c CURSOR FOR …`; any other is itself.
fn inner(text: Text) -> Text {
    let lexemes = lex(text.as_str());
    let holder = lexemes.iter().find(|l| l.solid()).and_then(|l| HOLDERS.iter().find(|(verb, _)| l.is(verb)));
    let word = holder.and_then(|(_, word)| lexemes.iter().position(|l| l.is(word)));
    let query = word.and_then(|word| lexemes[word + 1..].iter().find(|l| l.solid()));
    match query.map(|first| first.at) {
        Some(start) => text.part(start..text.as_str().len()),
        None => text,
    }
}

/// Adds a statement to the transaction that its session is in.
fn transaction(session: &mut LogSession, done: &mut Vec<SavedTransaction>, verb: &str, statement: SavedStatement) {
    match (verb, &mut session.open) {
        ("begin" | "start", None) => session.open = Some(Vec::new()),
        ("commit" | "end", Some(_)) => {
            done.extend(session.open.take().map(|statements| ended(statements, false)));
        }
        ("rollback" | "abort", Some(_)) if !lex(&statement.text).iter().any(|l| l.is("to")) => {
            let statements = session.open.take().filter(|statements| !statements.is_empty());
            done.extend(statements.map(|statements| ended(statements, true)));
        }
        (_, Some(open)) => open.push(statement),
        (verb, None) if SESSION.contains(&verb) && verb != "set" => {}
        (_, None) => done.push(ended(vec![statement], false)),
    }
}

fn ended(statements: Vec<SavedStatement>, rolled_back: bool) -> SavedTransaction {
    SavedTransaction { statements, ended: true, rolled_back }
}

/// Where the statement begins in a message that has one.
fn statement_of(message: &str) -> Option<usize> {
    let rest = match message.strip_prefix("duration: ") {
        Some(rest) => rest.split_once("  ")?.1,
        None => message,
    };
    let text = match rest.strip_prefix("statement: ") {
        Some(text) => text,
        None => rest.strip_prefix("execute ")?.split_once(": ")?.1,
    };
    // The rest of a portal's rows is not another call.
    (!rest.starts_with("execute fetch from ")).then_some(message.len() - text.len())
}

/// `parameters: $1 = 'a', $2 = NULL`
fn parameters(detail: &str) -> Vec<Option<String>> {
    // A capital since PostgreSQL 16.
    let list = detail.strip_prefix("parameters: ").or_else(|| detail.strip_prefix("Parameters: "));
    let Some(list) = list else { return Vec::new() };
    let values = lex(list).into_iter().filter(Lexeme::solid).filter_map(|lexeme| match lexeme.kind {
        TokenKind::Text => {
            let inside = lexeme.text.trim_start_matches(|c| c != '\'');
            let inside = inside.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).unwrap_or(inside);
            Some(Some(inside.replace("''", "'")))
        }
        TokenKind::Word if lexeme.is("null") => Some(None),
        _ => None,
    });
    values.collect()
}

/// A field as it stands in the file without its quotes, and where.
type Field<'a> = (&'a str, usize);

/// The fields of a record, where the next one starts, and whether its quotes were closed.
fn csv_record(text: &str, start: usize) -> (Vec<Field<'_>>, usize, bool) {
    let bytes = text.as_bytes();
    let mut fields = Vec::with_capacity(26);
    let mut at = start;
    loop {
        let quoted = bytes.get(at) == Some(&b'"');
        let begin = at + usize::from(quoted);
        let mut end = begin;
        let mut closed = !quoted;
        if quoted {
            while end < bytes.len() {
                if bytes[end] != b'"' {
                    end += 1;
                } else if bytes.get(end + 1) == Some(&b'"') {
                    end += 2;
                } else {
                    closed = true;
                    break;
                }
            }
            at = (end + 1).min(bytes.len());
        } else {
            while end < bytes.len() && !matches!(bytes[end], b',' | b'\n') {
                end += 1;
            }
            at = end;
        }
        fields.push((&text[begin..end.min(text.len())], begin));
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(_) => {
                let next = bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |i| at + i + 1);
                return (fields, next, closed);
            }
            None => return (fields, bytes.len(), closed),
        }
    }
}

fn undouble(raw: &str) -> Cow<'_, str> {
    if raw.contains("\"\"") { Cow::Owned(raw.replace("\"\"", "\"")) } else { Cow::Borrowed(raw) }
}
