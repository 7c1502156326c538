//! The queries in a function's body: what runs when it is called, as far as it is written down. SQL that is put together at run time is not.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::lex::{Lexeme, TokenKind, lex};
use super::name::{Ident, Name};
use super::query::{self, Command, Expr};
use super::types::TypeName;
use super::{read_query, split};

/// The text of a function's body.
#[derive(Debug)]
pub struct BodySource {
    language: Ident,
    text: Arc<str>,
    body: OnceLock<Body>,
    whole_rows: OnceLock<bool>,
}

impl BodySource {
    /// A body in a language, whose name is in lower case.
    pub fn new(language: Ident, text: Arc<str>) -> Self {
        Self { language, text, body: OnceLock::new(), whole_rows: OnceLock::new() }
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The language.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Its queries, as far as they can be read.
    pub fn body(&self) -> &Body {
        self.body.get_or_init(|| read(&self.language, &self.text))
    }

    /// Whether it may take or give whole rows; cheaper than reading it.
    pub(crate) fn whole_rows(&self) -> bool {
        *self.whole_rows.get_or_init(|| whole_rows(&self.text))
    }
}

impl Eq for BodySource {}

impl PartialEq for BodySource {
    fn eq(&self, other: &Self) -> bool {
        self.language == other.language && self.text == other.text
    }
}

/// What a quoted text says; `None`: it is one with escapes or bits.
pub(crate) fn unquoted(text: &str) -> Option<String> {
    if let Some((tag, rest)) = text.strip_prefix('$').and_then(|rest| rest.split_once('$')) {
        return Some(rest.strip_suffix(&format!("${tag}$")).unwrap_or(rest).to_owned());
    }
    Some(text.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))
}

/// What a body does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Body {
    /// Its queries and expressions, in order.
    pub queries: Vec<BodyQuery>,
    /// The variables that it declares, and those of its loops.
    pub variables: BTreeSet<Ident>,
    /// What it gives to columns of the row that is written.
    pub given: Vec<Given>,
    /// What its variables are declared as, in order.
    pub declared: Vec<(Ident, Declared)>,
    /// Whether it goes on where something in it fails.
    pub catches: bool,
    /// Whether it may raise an exception of its own.
    pub raises: bool,
    /// Whether it may return NULL (`RETURN NULL`): of a trigger that runs before a row is written, the row is not written.
    pub returns_null: bool,
    /// Whether it may return the row that was there (`RETURN OLD`): there is none where a row is inserted, and that is NULL.
    pub returns_old: bool,
    /// Whether it demands a row of a query (`INTO STRICT`).
    pub strict: bool,
    /// Whether it runs SQL that is put together at run time.
    pub dynamic: bool,
    /// Whether it may do something else than read and write rows, as far as it is written down; what it calls aside.
    pub makes: bool,
    /// How many columns the rows have that it returns as `ROW(…)`.
    pub rows: Vec<usize>,
    /// The temporary tables that it makes.
    pub temporary: BTreeSet<Ident>,
    /// Whether a name that is a variable and a column is refused (PL/pgSQL, where nothing else is said).
    pub refuses_both: bool,
}

/// What a variable is declared as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    /// A type.
    Type(TypeName),
    /// `column%TYPE`, with the column, or `table%ROWTYPE`.
    Like((Name, Option<Ident>)),
    /// `record`, or something that is not read.
    Other,
}

/// A value that a trigger's function gives to a column, as in `NEW.a := …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The column.
    pub column: Ident,
    /// The columns of the row that the value may come from.
    pub from: Vec<Ident>,
    /// Whether it comes from nothing else.
    pub alone: bool,
}

/// One query of a body.
#[derive(Debug, Clone, PartialEq)]
pub struct BodyQuery {
    /// What it is.
    pub command: Command,
    /// Whether its rows are the function's.
    pub returned: bool,
    /// What its columns are assigned to: variables, and columns of rows; one alone may be a row.
    pub into: Vec<Vec<Ident>>,
    /// Whether it runs whenever the body does.
    pub always: bool,
    /// Whether it is a query whose first row is taken, if there is one.
    pub finds: bool,
    /// Whether it is an expression, which fails where it gives several rows (`a := b FROM t`).
    pub single: bool,
}

impl BodyQuery {
    fn new(command: Command, returned: bool) -> Self {
        Self { command, returned, into: Vec::new(), always: false, finds: false, single: false }
    }
}

/// Reads a body. What cannot be read is left out.
pub(crate) fn read(language: &str, text: &str) -> Body {
    match language {
        "sql" => sql(text),
        "plpgsql" => plpgsql(text),
        _ => Body::default(),
    }
}

/// The names that a body mentions.
pub(crate) fn names_in(text: &str) -> Vec<Ident> {
    let names: BTreeSet<Ident> = lex(text).iter().filter_map(Lexeme::name).collect();
    names.into_iter().collect()
}

/// Whether a body may take or give whole rows (`*`, `INSERT` without its columns, `NATURAL JOIN`), so that columns matter that it does not
/// mention. By its words: what only looks so costs a second look at the body, and no more.
pub(crate) fn whole_rows(text: &str) -> bool {
    let pieces: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).collect();
    let symbol = |at: usize, text: &str| pieces.get(at).is_some_and(|piece| piece.symbol(text));
    (0..pieces.len()).any(|at| {
        let piece = &pieces[at];
        if piece.symbol("*") {
            // `count(*)`
            return !(at > 0 && symbol(at - 1, "(") && symbol(at + 1, ")"));
        }
        if piece.is("insert") {
            // `INSERT INTO schema.table AS alias (columns)`
            let rows = ["values", "select", "with", "default", "overriding", "table"];
            let names = |piece: &&Lexeme<'_>| {
                piece.symbol(".")
                    || piece.kind == TokenKind::Name
                    || (piece.kind == TokenKind::Word && !piece.is_any(&rows))
            };
            let end = at + pieces[at..].iter().take_while(names).count();
            let is_query = pieces.get(end + 1).is_some_and(|piece| piece.symbol("(") || piece.is_any(&rows));
            return !symbol(end, "(") || is_query;
        }
        piece.is_any(&["natural", "table", "merge", "copy"])
    })
}

impl Given {
    fn of(column: Ident, value: Option<&Expr>) -> Self {
        let mut given = Self { column, from: Vec::new(), alone: value.is_some() };
        value.into_iter().for_each(|value| given.add(value));
        given
    }

    /// A value of columns alone is made of them, of `coalesce`, and of NULL.
    fn add(&mut self, value: &Expr) {
        // Of a CASE, what its branches give.
        let (alone, parts) = match value {
            Expr::Column(names, _) if names.len() == 2 && matches!(&*names[0], "new" | "old") => {
                self.from.push(names[1].clone());
                return;
            }
            Expr::Null => return,
            Expr::Common("COALESCE", ..) => (true, value.parts()),
            Expr::Case { branches, otherwise, .. } => {
                let branches = branches.iter().map(|(_, then)| then);
                (false, branches.chain(otherwise.as_deref()).collect())
            }
            _ => (false, value.parts()),
        };
        self.alone &= alone;
        parts.into_iter().for_each(|part| self.add(part));
    }
}

fn sql(text: &str) -> Body {
    let statements = split::split(text, split::Rows::IfEnded).statements;
    let mut body = Body::default();
    let last = statements.len().saturating_sub(1);
    for (i, statement) in statements.iter().enumerate() {
        let read = read_query(&text[statement.range.clone()]);
        body.makes |= matches!(read, Ok(Command::Other { harmless: false }) | Err(_));
        if let Ok(command) = read {
            body.queries.push(BodyQuery { always: true, ..BodyQuery::new(command, i == last) });
        }
    }
    body
}

fn plpgsql(text: &str) -> Body {
    let pieces: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).collect();
    let decides = pieces.windows(2).any(|pair| pair[0].symbol("#") && pair[1].is("variable_conflict"));
    let mut reader =
        Reader { text, body: Body { refuses_both: !decides, ..Body::default() }, depth: 0, returned: false };
    let mut start = 0;
    let mut declaring = false;
    while start < pieces.len() {
        let mut depth = 0_i32;
        let mut end = start;
        while let Some(piece) = pieces.get(end) {
            match piece.text {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                ";" if depth <= 0 => break,
                _ => {}
            }
            end += 1;
        }
        declaring = reader.statement(&pieces[start..end], declaring);
        start = end + 1;
    }
    reader.body
}

/// What statements begin with that may make or change something else than rows.
const MAKE: [&str; 14] = [
    "alter", "drop", "do", "grant", "revoke", "comment", "security", "import", "reindex", "refresh", "cluster", "set",
    "reset", "reassign",
];

struct Reader<'a> {
    text: &'a str,
    body: Body,
    /// How many conditions and loops are open.
    depth: usize,
    /// Whether a `RETURN` was read.
    returned: bool,
}

impl<'a> Reader<'a> {
    /// Reads what stands before one semicolon: openings of blocks, then a statement. Returns whether declarations go on.
    fn statement(&mut self, mut pieces: &[Lexeme<'a>], mut declaring: bool) -> bool {
        while let Some(first) = pieces.first() {
            let found = |words: &[&str], pieces: &[Lexeme<'a>]| {
                let mut depth = 0_i32;
                pieces.iter().position(|piece| {
                    match piece.text {
                        "(" | "[" => depth += 1,
                        ")" | "]" => depth -= 1,
                        _ => {}
                    }
                    depth == 0 && piece.is_any(words)
                })
            };
            if first.is("declare") {
                declaring = true;
                pieces = &pieces[1..];
            } else if first.is("begin") {
                declaring = false;
                pieces = &pieces[1..];
            } else if declaring {
                self.declaration(pieces);
                return true;
            } else if first.is_any(&["else", "loop", "exception"]) {
                self.body.catches |= first.is("exception");
                self.depth += usize::from(first.is("loop"));
                pieces = &pieces[1..];
            } else if first.is_any(&["if", "elsif", "elseif", "when", "while", "case"]) {
                self.depth += usize::from(first.is_any(&["if", "while", "case"]));
                let end = found(&["then", "loop"], &pieces[1..]).map_or(pieces.len(), |n| n + 1);
                let condition = &pieces[1..end];
                // `WHEN unique_violation THEN` names no column.
                let handler = first.is("when")
                    && condition.iter().all(|p| p.kind == TokenKind::Word && !p.is_any(&["and", "not", "is"]));
                if first.is("case") {
                    let end = found(&["when"], condition).unwrap_or(0);
                    self.expression(&condition[..end]);
                    self.expression(condition.get(end + 1..).unwrap_or_default());
                } else if !handler {
                    self.expression(condition);
                }
                pieces = pieces.get(end + 1..).unwrap_or_default();
            } else if first.is_any(&["for", "foreach"]) {
                self.depth += 1;
                let within = found(&["in"], pieces).unwrap_or(pieces.len());
                let targets: Vec<Ident> = pieces[1..within].iter().filter_map(Lexeme::name).collect();
                self.body.variables.extend(targets.iter().cloned());
                let end = found(&["loop"], pieces).unwrap_or(pieces.len());
                let mut of = pieces.get(within + 1..end).unwrap_or_default();
                if of.first().is_some_and(|piece| piece.is_any(&["reverse", "array"])) {
                    of = &of[1..];
                }
                // Of an array, each element.
                if first.is("foreach")
                    && let (Some(first), Some(last)) = (of.first(), of.last())
                    && let Ok(command) = read_query(&format!("SELECT ({})[1]", &self.text[first.at..last.end()]))
                {
                    self.body.queries.push(BodyQuery::new(command, false));
                    self.assigned(targets.iter().map(|target| vec![target.clone()]).collect(), false);
                }
                let range = of.windows(2).any(|pair| pair[0].symbol(".") && pair[1].symbol("."));
                if !range && first.is("for") && self.query(of, false) {
                    self.assigned(targets.into_iter().map(|target| vec![target]).collect(), false);
                }
                pieces = pieces.get(end + 1..).unwrap_or_default();
            } else if first.is("end") {
                // `END IF`, `END LOOP label`
                let closes = pieces.get(1).is_some_and(|piece| piece.is_any(&["if", "loop", "case"]));
                self.depth = self.depth.saturating_sub(usize::from(closes));
                return false;
            } else if first.symbol("<") {
                let end = pieces.iter().rposition(|piece| piece.symbol(">")).filter(|end| *end < 6).unwrap_or(0);
                pieces = &pieces[end + 1..];
            } else {
                self.simple(pieces);
                return false;
            }
        }
        declaring
    }

    fn declaration(&mut self, pieces: &[Lexeme<'a>]) {
        let Some(variable) = pieces.first().and_then(Lexeme::name) else { return };
        self.body.variables.insert(variable.clone());
        let ends =
            |piece: &Lexeme<'a>| piece.is_any(&["not", "default", "collate"]) || piece.symbol(":") || piece.symbol("=");
        let from = if pieces.get(1).is_some_and(|piece| piece.is("constant")) { 2 } else { 1 };
        let end = pieces.iter().position(ends).unwrap_or(pieces.len()).max(from);
        self.body.declared.push((variable.clone(), self.declared(&pieces[from.min(pieces.len())..end])));
        let value = pieces.windows(2).position(|pair| pair[0].symbol(":") && pair[1].symbol("="));
        let value = value.map(|at| at + 2).or_else(|| pieces.iter().position(|p| p.is("default")).map(|at| at + 1));
        if let Some(at) = value
            && self.expression(&pieces[at..])
        {
            self.assigned(vec![vec![variable]], false);
        }
    }

    fn declared(&self, pieces: &[Lexeme<'a>]) -> Declared {
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return Declared::Other };
        if first.is("record") {
            return Declared::Other;
        }
        if let Some(percent) = pieces.iter().position(|piece| piece.symbol("%")) {
            let names: Vec<Ident> = pieces[..percent].iter().filter_map(Lexeme::name).collect();
            let row = pieces.get(percent + 1).is_some_and(|piece| piece.is("rowtype"));
            return match (&names[..], row) {
                ([table], true) => Declared::Like((Name::bare(table.clone()), None)),
                ([schema, table], true) => Declared::Like((Name::qualified(schema.clone(), table.clone()), None)),
                ([table, column], false) => Declared::Like((Name::bare(table.clone()), Some(column.clone()))),
                ([schema, table, column], false) => {
                    Declared::Like((Name::qualified(schema.clone(), table.clone()), Some(column.clone())))
                }
                _ => Declared::Other,
            };
        }
        let text = &self.text[first.at..last.end()];
        let read = read_query(&format!("SELECT NULL::{text}")).ok();
        match read.as_ref().and_then(single) {
            Some(Expr::Cast(_, data_type, _)) => Declared::Type(data_type.clone()),
            _ => Declared::Other,
        }
    }

    /// Whether a statement here runs whenever the body does.
    fn runs_always(&self) -> bool {
        self.depth == 0 && !self.returned && !self.body.catches
    }

    /// Notes where the columns of the last query go.
    fn assigned(&mut self, into: Vec<Vec<Ident>>, finds: bool) {
        let always = self.depth == 0;
        if let Some(query) = self.body.queries.last_mut() {
            (query.into, query.always, query.finds) = (into, always, finds);
        }
    }

    fn simple(&mut self, pieces: &[Lexeme<'a>]) {
        let Some(first) = pieces.first() else { return };
        let next = |n: usize, word: &str| pieces.get(n).is_some_and(|piece| piece.is(word));
        if first.is("return") && next(1, "query") {
            if next(2, "execute") {
                self.body.dynamic = true;
            } else {
                self.query(&pieces[2..], true);
            }
        } else if first.is("return") {
            self.body.returns_null |= next(1, "null") && pieces.len() == 2;
            self.body.returns_old |= next(1, "old") && pieces.len() == 2;
            let from = if next(1, "next") { 2 } else { 1 };
            let read = self.expression(pieces.get(from..).unwrap_or_default());
            // The first that is behind no condition ends the body.
            let always = self.depth == 0 && from == 1 && !self.returned;
            self.returned = true;
            if let Some(query) = self.body.queries.last_mut().filter(|_| read && always) {
                query.always = true;
            }
            let value = self.body.queries.last().filter(|_| read).and_then(|query| single(&query.command));
            if let Some(Expr::Row(parts)) = value {
                let width = parts.len();
                self.body.rows.push(width);
            }
        } else if first.is("perform") {
            // It passes over whatever rows there are.
            if self.expression(&pieces[1..]) {
                self.body.queries.last_mut().into_iter().for_each(|query| query.single = false);
            }
        } else if first.is_any(&["select", "insert", "update", "delete", "with", "merge", "values", "refresh"]) {
            let always = self.runs_always();
            self.body.makes |= first.is("refresh");
            if self.query(pieces, false) {
                self.body.queries.last_mut().into_iter().for_each(|query| query.always = always);
            }
        } else if first.is("create") {
            self.body.makes = true;
            let table = pieces.iter().position(|piece| piece.is("table")).map(|at| at + 1);
            let table = table.map(|at| if next(at, "if") { at + 3 } else { at });
            self.body.temporary.extend(table.and_then(|at| pieces.get(at)).and_then(Lexeme::name));
        } else if first.is("assert") {
            self.body.raises = true;
            let condition = pieces[1..].iter().position(|piece| piece.symbol(",")).map_or(pieces.len(), |at| at + 1);
            self.expression(&pieces[1..condition]);
        } else if first.is("raise") {
            // Without a level it is an exception.
            let harmless = ["debug", "log", "info", "notice", "warning"];
            self.body.raises |= !pieces.get(1).is_some_and(|piece| piece.is_any(&harmless));
        } else if first.is("execute") {
            // A text that stands there is known; one that is put together is not.
            let text = pieces.get(1).filter(|piece| piece.kind == TokenKind::Text && pieces.len() == 2);
            let written = text.and_then(|piece| read_query(&unquoted(piece.text)?).ok());
            match written.filter(|command| !matches!(command, Command::Other { .. })) {
                Some(command) => {
                    let always = self.runs_always();
                    self.body.queries.push(BodyQuery { always, ..BodyQuery::new(command, false) });
                }
                None => self.body.dynamic = true,
            }
        } else if first.is_any(&[
            "null", "exit", "continue", "open", "fetch", "close", "move", "get", "call", "commit", "rollback",
        ]) {
            // Nothing of the schema, or nothing that is known.
        } else {
            self.body.makes |= first.is_any(&MAKE);
            let assigned = pieces.windows(2).position(|pair| pair[0].symbol(":") && pair[1].symbol("="));
            let value =
                assigned.map(|at| at + 2).or_else(|| pieces.iter().position(|p| p.symbol("=")).map(|at| at + 1));
            if let Some(at) = value {
                let read = self.expression(&pieces[at..]);
                // `NEW.a := …` needs the column, as reading it does.
                let target = &pieces[..at];
                let names: Vec<Ident> = target.iter().filter_map(Lexeme::name).collect();
                if read && !target.iter().any(|piece| piece.symbol("[")) {
                    self.assigned(vec![names], false);
                }
                if target.len() > 3 && target[0].is_any(&["new", "old"]) && target[1].symbol(".") {
                    let value = self.body.queries.last().filter(|_| read).and_then(|query| single(&query.command));
                    let given = target[2].name().map(|column| Given::of(column, value));
                    self.body.given.extend(given);
                    self.expression(&target[..3]);
                }
            }
        }
    }

    /// Whether it could be read; it is the last query then.
    fn expression(&mut self, pieces: &[Lexeme<'a>]) -> bool {
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return false };
        let text = &self.text[first.at..last.end()];
        let read = read_query(&format!("SELECT {text}"));
        let queries = read.into_iter().map(|command| BodyQuery { single: true, ..BodyQuery::new(command, false) });
        let known = self.body.queries.len();
        self.body.queries.extend(queries);
        self.body.queries.len() > known
    }

    /// A query without its `INTO variables`.
    fn query(&mut self, pieces: &[Lexeme<'a>], returned: bool) -> bool {
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return false };
        let mut depth = 0_i32;
        let mut into = None;
        let named = |at: usize| at > 0 && pieces[at - 1].is_any(&["insert", "merge"]);
        for (i, piece) in pieces.iter().enumerate() {
            match piece.text {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                _ if depth == 0 && piece.is("into") && !named(i) && into.is_none() => into = Some(i),
                _ => {}
            }
        }
        let (mut targets, mut strict) = (Vec::new(), false);
        let text = match into {
            None => self.text[first.at..last.end()].to_owned(),
            Some(at) => {
                // `[STRICT] a, b.c`
                strict = pieces.get(at + 1).is_some_and(|piece| piece.is("strict"));
                let mut end = at + 1 + usize::from(strict);
                loop {
                    let mut target: Vec<Ident> = pieces.get(end).and_then(Lexeme::name).into_iter().collect();
                    end += 1;
                    while pieces.get(end).is_some_and(|piece| piece.symbol(".")) {
                        target.extend(pieces.get(end + 1).and_then(Lexeme::name));
                        end += 2;
                    }
                    targets.push(target);
                    if !pieces.get(end).is_some_and(|piece| piece.symbol(",")) {
                        break;
                    }
                    end += 1;
                }
                let rest = pieces.get(end).map_or("", |piece| &self.text[piece.at..last.end()]);
                format!("{} {rest}", &self.text[first.at..pieces[at].at])
            }
        };
        let Ok(command) = read_query(&text) else { return false };
        let finds = matches!(command, Command::Select(_)) && !strict;
        self.body.strict |= strict;
        self.body.queries.push(BodyQuery::new(command, returned));
        if !targets.is_empty() {
            self.assigned(targets, finds);
        }
        true
    }
}

/// The one expression of a `SELECT`.
fn single(command: &Command) -> Option<&Expr> {
    let Command::Select(query) = command else { return None };
    match &query.body {
        query::QueryBody::Select(select) => match select.items.as_slice() {
            [query::Item::Expr(value, _)] => Some(value),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_query_by_query() {
        let check = |text: &str, queries: usize, variables: &[&str]| {
            let body = read("plpgsql", text);
            assert_eq!(body.queries.len(), queries, "{text}: {:?}", body.queries);
            assert_eq!(body.variables.iter().map(|v| &**v).collect::<Vec<_>>(), variables, "{text}");
        };
        check("BEGIN RETURN NEW; END", 1, &[]);
        check(
            "DECLARE n int := 1; who text; BEGIN SELECT id INTO STRICT n FROM t WHERE a = who; END",
            2,
            &["n", "who"],
        );
        check("BEGIN IF NEW.a > 1 THEN UPDATE t SET a = 1; ELSE PERFORM f(NEW.b); END IF; RETURN NULL; END", 4, &[]);
        check("BEGIN FOR r IN SELECT * FROM t LOOP INSERT INTO u VALUES (r.id); END LOOP; END", 2, &["r"]);
        check("BEGIN FOR i IN 1..10 LOOP NULL; END LOOP; NEW.n := 3; RETURN QUERY SELECT 1; END", 3, &["i"]);
        check("BEGIN EXECUTE 'DROP TABLE t'; EXCEPTION WHEN unique_violation THEN RAISE NOTICE 'x'; END", 0, &[]);
        check(
            "BEGIN INSERT INTO t (a) SELECT b FROM u RETURNING id INTO n; CASE x WHEN 1 THEN NULL; END CASE; END",
            3,
            &[],
        );
    }

    #[test]
    fn whole_rows_are_seen() {
        let check = |text: &str, expected: bool| assert_eq!(whole_rows(text), expected, "{text}");
        check("BEGIN SELECT count(*) INTO n FROM t; RETURN NEW; END", false);
        check("BEGIN INSERT INTO s.\"t u\" AS x (a) VALUES (NEW.a) ON CONFLICT (a) DO UPDATE SET b = 1; END", false);
        check("BEGIN SELECT * INTO r FROM t; END", true);
        check("BEGIN RETURN QUERY SELECT t.* FROM t; END", true);
        check("BEGIN INSERT INTO t VALUES (1); END", true);
        check("BEGIN INSERT INTO s.t SELECT a FROM u; END", true);
        check("BEGIN INSERT INTO t (SELECT a FROM u); END", true);
        check("BEGIN INSERT INTO t DEFAULT VALUES; END", true);
        check("BEGIN PERFORM 1 FROM t NATURAL JOIN u; END", true);
    }
}
