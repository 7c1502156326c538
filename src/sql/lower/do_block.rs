//! `DO` blocks that hold nothing but statements on the schema, in the usual shapes that make them repeatable: a handler that passes over what is
//! there already, or a question to the catalog for the very thing that is made. Anything else in a block makes it opaque.

use super::{Lowered, statement};
use crate::sql::lex::{Lexeme, TokenKind, lex, words_of};
use crate::sql::operation::{Ident, Operation, TableChange};

/// The operations of a block's body; `None`: it does something else.
pub(super) fn operations(body: &str) -> Option<Vec<Operation>> {
    let pieces: Vec<Lexeme<'_>> = lex(body).into_iter().filter(Lexeme::solid).collect();
    let mut rest = Rest { body, pieces: &pieces };
    rest.eat("begin").then_some(())?;
    let (mut found, ended) = rest.statements()?;
    match ended {
        End::Block => {}
        End::Handlers => {
            // Only what is made can be there already.
            rest.handlers()?;
            found.iter_mut().try_for_each(|operation| if_not_exists(operation).then_some(()))?;
        }
    }
    while rest.eat_symbol(";") {}
    (rest.pieces.is_empty() && !found.is_empty()).then_some(found)
}

/// What ends a list of statements.
#[derive(PartialEq)]
enum End {
    Block,
    Handlers,
}

struct Rest<'a, 'b> {
    body: &'a str,
    pieces: &'b [Lexeme<'a>],
}

impl<'a> Rest<'a, '_> {
    fn eat(&mut self, word: &str) -> bool {
        let found = self.pieces.first().is_some_and(|piece| piece.is(word));
        if found {
            self.pieces = &self.pieces[1..];
        }
        found
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.pieces.first().is_some_and(|piece| piece.symbol(symbol));
        if found {
            self.pieces = &self.pieces[1..];
        }
        found
    }

    /// Statements up to `END` or `EXCEPTION`.
    fn statements(&mut self) -> Option<(Vec<Operation>, End)> {
        let mut found = Vec::new();
        loop {
            if self.eat("end") {
                return Some((found, End::Block));
            }
            if self.eat("exception") {
                return Some((found, End::Handlers));
            }
            if self.eat("if") {
                found.extend(self.guarded()?);
            } else if self.eat("begin") {
                let (mut inner, ended) = self.statements()?;
                if ended == End::Handlers {
                    self.handlers()?;
                    inner.iter_mut().try_for_each(|operation| if_not_exists(operation).then_some(()))?;
                }
                self.eat_symbol(";");
                found.extend(inner);
            } else {
                found.extend(self.one()?);
            }
        }
    }

    /// One statement on the schema.
    fn one(&mut self) -> Option<Vec<Operation>> {
        let end = self.pieces.iter().position(|piece| piece.symbol(";"))?;
        let (inside, rest) = self.pieces.split_at(end);
        let (first, last) = (inside.first()?, inside.last()?);
        if first.is("raise") {
            self.pieces = &rest[1..];
            return Some(Vec::new());
        }
        first.is_any(&["create", "alter", "comment"]).then_some(())?;
        let Lowered { pieces, error, transactional } = statement(&self.body[first.at..last.end()]);
        let operations: Vec<Operation> = pieces.into_iter().map(|piece| piece.operation).collect();
        let understood = error.is_none() && !operations.iter().any(|op| matches!(op, Operation::Opaque { .. }));
        self.pieces = &rest[1..];
        (understood && transactional).then_some(operations)
    }

    /// `IF NOT EXISTS (SELECT … FROM a catalog WHERE … 'name' …) THEN … END IF;`, behind IF.
    fn guarded(&mut self) -> Option<Vec<Operation>> {
        (self.eat("not") && self.eat("exists")).then_some(())?;
        let then = self.pieces.iter().position(|piece| piece.is("then"))?;
        let (question, rest) = self.pieces.split_at(then);
        let named: Vec<String> = question
            .iter()
            .filter(|piece| piece.kind == TokenKind::Text)
            .map(|piece| piece.text.trim_matches('\'').to_owned())
            .collect();
        let asks =
            |piece: &Lexeme<'_>| piece.is("information_schema") || piece.text.to_ascii_lowercase().starts_with("pg_");
        question.iter().any(asks).then_some(())?;
        self.pieces = &rest[1..];
        let mut found = Vec::new();
        while !self.eat("end") {
            found.extend(self.one()?);
        }
        (self.eat("if") && self.eat_symbol(";")).then_some(())?;
        // It must ask for what it makes.
        let asked = |operation: &Operation| {
            made(operation).is_some_and(|name| named.iter().any(|asked| words_of(asked).any(|w| *w == *name)))
        };
        let guarded = found.iter_mut().all(|operation| asked(operation) && if_not_exists(operation));
        guarded.then_some(found)
    }

    /// `WHEN duplicate_object THEN NULL;`, up to `END`.
    fn handlers(&mut self) -> Option<()> {
        while self.eat("when") {
            loop {
                let piece = self.pieces.first()?;
                let passes = piece.is_any(&[
                    "duplicate_object",
                    "duplicate_table",
                    "duplicate_column",
                    "duplicate_schema",
                    "duplicate_function",
                    "invalid_table_definition",
                    "or",
                ]);
                if !passes {
                    break;
                }
                self.pieces = &self.pieces[1..];
            }
            self.eat("then").then_some(())?;
            while !self.pieces.first()?.is_any(&["when", "end"]) {
                self.pieces.first()?.is_any(&["null", "raise"]).then_some(())?;
                let end = self.pieces.iter().position(|piece| piece.symbol(";"))?;
                let notice = self.pieces[0].is("null")
                    || self.pieces.get(1).is_some_and(|p| p.is_any(&["notice", "info", "debug", "log", "warning"]));
                notice.then_some(())?;
                self.pieces = &self.pieces[end + 1..];
            }
        }
        self.eat("end").then_some(())
    }
}

/// What an operation makes, by its own name.
fn made(operation: &Operation) -> Option<Ident> {
    match operation {
        Operation::CreateTable(table) => Some(table.name.name.clone()),
        Operation::CreateIndex(index) => index.name.clone(),
        Operation::CreateType { name, .. } | Operation::CreateSequence { name, .. } => Some(name.name.clone()),
        Operation::CreateNamespace { name, .. } | Operation::CreateExtension { name } => Some(name.clone()),
        Operation::CreateTrigger { name, .. } => Some(name.clone()),
        Operation::AlterTable { change: TableChange::AddColumn { column, .. }, .. } => Some(column.name.clone()),
        Operation::AlterTable { change: TableChange::AddConstraint(definition), .. } => definition.name.clone(),
        _ => None,
    }
}

/// Makes an operation one that passes over what is there already; whether there is such a form.
fn if_not_exists(operation: &mut Operation) -> bool {
    match operation {
        Operation::CreateTable(table) => table.if_not_exists = true,
        Operation::CreateIndex(index) => index.if_not_exists = true,
        Operation::CreateType { if_not_exists, .. }
        | Operation::CreateSequence { if_not_exists, .. }
        | Operation::CreateNamespace { if_not_exists, .. }
        | Operation::CreateTrigger { or_replace: if_not_exists, .. }
        | Operation::AlterTable { change: TableChange::AddColumn { if_not_exists, .. }, .. }
        | Operation::AddEnumLabel { if_not_exists, .. } => *if_not_exists = true,
        Operation::AlterTable { change: TableChange::AddConstraint(definition), .. } => {
            // One without a name gets another at each run.
            definition.if_not_exists = true;
            return definition.name.is_some();
        }
        Operation::CreateExtension { .. } | Operation::Comment { .. } => {}
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_the_usual_shapes_are_read() {
        let check = |body: &str, expected: Option<usize>| {
            assert_eq!(operations(body).map(|found| found.len()), expected, "{body}");
        };
        check("BEGIN CREATE TYPE a AS ENUM ('x'); EXCEPTION WHEN duplicate_object THEN null; END", Some(1));
        check(
            "BEGIN ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0); EXCEPTION WHEN duplicate_object THEN RAISE NOTICE 'there'; END;",
            Some(1),
        );
        check("BEGIN ALTER TABLE t ADD COLUMN a int, ADD COLUMN b int; END", Some(2));
        check(
            "BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'a') THEN CREATE TYPE a AS ENUM (); END IF; END",
            Some(1),
        );
        // Asks for something else.
        check(
            "BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'b') THEN CREATE TYPE a AS ENUM (); END IF; END",
            None,
        );
        check(
            "BEGIN IF NOT EXISTS (SELECT 1 FROM t WHERE name = 'a') THEN CREATE TYPE a AS ENUM (); END IF; END",
            None,
        );
        // Passes over more than what is there already.
        check("BEGIN CREATE TYPE a AS ENUM ('x'); EXCEPTION WHEN others THEN null; END", None);
        check("BEGIN DROP TABLE t; EXCEPTION WHEN duplicate_table THEN null; END", None);
        check("BEGIN UPDATE t SET a = 1; END", None);
        check("BEGIN EXECUTE 'DROP TABLE t'; END", None);
        check("DECLARE a int; BEGIN CREATE TABLE t (); END", None);
        check("BEGIN CREATE TABLE t (); RETURN; END", None);
    }
}
