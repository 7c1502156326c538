//! What a statement runs that only calls something: `CALL`, a `DO` block, `SELECT f()`. Its bodies are read as far as they are written down.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::Schema;
use super::model::{Function, QName};
use super::resolve::{body_problems, other_result};
use crate::sql::body::{self, Body};
use crate::sql::lex::{Lexeme, TokenKind, lexemes};
use crate::sql::operation::Ident;
use crate::sql::query::{Command, Expr};
use crate::sql::{Name, Operation, called_in, read_query};

/// What runs with a statement.
#[derive(Debug, Default)]
pub(crate) struct Run<'s> {
    /// The bodies, those that are called by others last.
    bodies: Vec<Cow<'s, Body>>,
    /// The names that its functions mention.
    mentions: BTreeSet<Ident>,
    /// Whether they do nothing but read and write rows.
    pub(crate) only_rows: bool,
}

impl Run<'_> {
    /// The statements that run whenever it does. What others call may not be called.
    pub(crate) fn always(&self) -> impl Iterator<Item = &Command> {
        let first = self.bodies.first().filter(|body| !body.catches);
        let queries = first.into_iter().flat_map(|body| &body.queries);
        queries.filter(|query| query.always).map(|query| &query.command)
    }

    /// The names that its functions mention.
    pub(crate) fn mentions(&self) -> impl Iterator<Item = &Ident> {
        self.mentions.iter()
    }

    /// All statements.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &Command> {
        self.bodies.iter().flat_map(|body| &body.queries).map(|query| &query.command)
    }
}

impl Schema {
    /// What runs with a statement that calls something.
    pub(crate) fn run_by(&self, statement: &str) -> Run<'_> {
        let mut run = Run { only_rows: true, ..Run::default() };
        let called: Vec<QName> = match block(statement) {
            Some(text) => {
                let block = body::read("plpgsql", &text);
                let named = body::names_in(&text);
                run.only_rows = !block.makes && !block.dynamic;
                run.bodies.push(Cow::Owned(block));
                self.own(&named)
            }
            None => match read_query(statement.trim_end().trim_end_matches(';')) {
                Ok(Command::Call(Expr::Call(call))) => vec![self.resolve_function(&call.name)],
                Ok(Command::Select(_)) => {
                    // What it calls for rows is called for none, perhaps.
                    run.bodies.push(Cow::Owned(Body::default()));
                    let called = called_in(statement);
                    let own = self.own(&called);
                    run.only_rows = called.iter().all(|name| own.iter().any(|own| own.name == *name));
                    own
                }
                _ => return Run::default(),
            },
        };
        for found in self.reached_from(called) {
            run.only_rows &= !found.is_empty();
            for function in found {
                let body = function.source.body();
                let read = matches!(function.source.language(), "sql" | "plpgsql");
                run.mentions.extend(function.mentions.iter().cloned());
                run.only_rows &= read && !body.makes && !body.dynamic;
                run.bodies.push(Cow::Borrowed(body));
            }
        }
        run
    }

    /// The functions of these names, and those whose names their bodies mention, and so on: all overloads of a name together.
    pub(crate) fn reached_from(&self, mut open: Vec<QName>) -> impl Iterator<Item = &[Function]> {
        let mut seen = BTreeSet::new();
        std::iter::from_fn(move || {
            let name = std::iter::from_fn(|| open.pop()).find(|name| seen.insert(name.clone()))?;
            let found = self.functions(&name);
            open.extend(found.iter().flat_map(|function| self.own(&function.mentions)));
            Some(found)
        })
    }

    /// The functions that bear one of these names.
    fn own(&self, names: &[Ident]) -> Vec<QName> {
        let named = names.iter().map(|name| self.resolve_function(&Name::bare(name.clone())));
        named.filter(|name| !self.functions(name).is_empty()).collect()
    }
}

impl Schema {
    /// Why PostgreSQL does not take the body of a new function in SQL, which it looks at when the function is made. `self`: the schema that has it.
    pub(crate) fn refused_body(&self, operation: &Operation) -> Option<String> {
        let Operation::CreateFunction(made) = operation else { return None };
        if made.source.language() != "sql" || made.tracked {
            return None;
        }
        let name = self.resolve_function(&made.name);
        let function = self.functions(&name).iter().find(|function| function.arguments == made.arguments)?;
        // Of which types its arguments are is not known to its queries here, but which columns there are is.
        let lacks = |problem: &String| problem.starts_with("column ") && problem.ends_with("does not exist");
        body_problems(function, None, self).into_iter().find(lacks).or_else(|| other_result(function, self))
    }
}

/// The body of a DO block in PL/pgSQL.
fn block(statement: &str) -> Option<String> {
    let mut pieces = lexemes(statement).filter(Lexeme::solid);
    pieces.next().filter(|first| first.is("do"))?;
    let mut body = None;
    while let Some(piece) = pieces.next() {
        match piece.kind {
            TokenKind::Text if body.is_none() => body = body::unquoted(piece.text),
            TokenKind::Word if piece.is("language") => _ = pieces.next().filter(|language| language.is("plpgsql"))?,
            _ => {}
        }
    }
    body
}
