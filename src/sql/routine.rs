//! Functions and procedures.

use super::body::BodySource;
use super::lex::{Lexeme, TokenKind, lex};
use super::name::Name;
use super::operation::Ident;
use super::types::TypeName;
use std::sync::Arc;

/// What a statement calls a function or a procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routine {
    /// `FUNCTION`
    Function,
    /// `PROCEDURE`
    Procedure,
    /// `ROUTINE`: either
    Any,
}

/// What `ALTER FUNCTION` changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutineChange {
    /// `RENAME TO`
    Rename(Ident),
    /// `SET SCHEMA`
    Move(Ident),
    /// `OWNER TO`, and what says how it runs: `STABLE`, `SECURITY DEFINER`, `SET search_path = …`, as one text.
    Runs(Ident),
}

/// `CREATE FUNCTION`
#[derive(Debug, Clone, PartialEq)]
pub struct CreateFunction {
    /// Its name.
    pub name: Name,
    /// `OR REPLACE`
    pub or_replace: bool,
    /// Input argument types with whether each has a default.
    pub arguments: Vec<(TypeName, bool)>,
    /// What it returns, normalised text.
    pub returns: String,
    /// Names and types of its `OUT` and `INOUT` arguments, or of the columns of `RETURNS TABLE`.
    pub outputs: Vec<(Ident, TypeName)>,
    /// The names of its input arguments, in order; empty where there is none.
    pub inputs: Vec<Ident>,
    /// The names of its arguments, those of its output included.
    pub names: Vec<Ident>,
    /// Names that its body mentions: it may use relations or functions so called. PostgreSQL does not track them for string bodies.
    pub mentions: Arc<[Ident]>,
    /// Its body, which is read once, wherever the function comes to be.
    pub source: Arc<BodySource>,
    /// Whether PostgreSQL knows what its body uses (`BEGIN ATOMIC`, `RETURN`).
    pub tracked: bool,
    /// Whether it may write: neither `STABLE` nor `IMMUTABLE`.
    pub volatile: bool,
    /// `IMMUTABLE`
    pub immutable: bool,
    /// `SECURITY DEFINER`
    pub definer: bool,
    /// `SET search_path`: where its body looks for names.
    pub path: Option<Vec<Ident>>,
    /// A digest of its body and of how it runs, to tell two apart.
    pub body: Ident,
}

/// The schemas of a `SET search_path` among what is said of a function; `None`: there is none, or it is the session's.
pub(crate) fn path_in(words: &str) -> Option<Vec<Ident>> {
    let pieces: Vec<Lexeme<'_>> = lex(words).into_iter().filter(Lexeme::solid).collect();
    let at = pieces.windows(2).position(|pair| pair[0].is("set") && pair[1].is("search_path"))? + 2;
    let mut rest = pieces[at..].iter();
    rest.next().filter(|piece| piece.symbol("=") || piece.is("to"))?;
    let mut path = Vec::new();
    loop {
        let piece = rest.next()?;
        path.push(match piece.kind {
            TokenKind::Name => piece.text.trim_matches('"').into(),
            TokenKind::Text => piece.text.trim_matches('\'').into(),
            TokenKind::Word if !piece.is("default") => piece.text.to_ascii_lowercase().into(),
            _ => return None,
        });
        match rest.next() {
            Some(piece) if piece.symbol(",") => {}
            _ => return Some(path),
        }
    }
}

/// What a function does and how it runs, as far as two can be told apart by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionBody {
    pub(crate) language: String,
    pub(crate) volatility: &'static str,
    pub(crate) strict: bool,
    pub(crate) security_definer: bool,
    /// The string, as PostgreSQL keeps it.
    pub(crate) text: String,
    /// Whether it is no string but SQL.
    pub(crate) tracked: bool,
}

impl Default for FunctionBody {
    fn default() -> Self {
        let (language, text) = ("sql".to_owned(), String::new());
        Self { language, volatility: "volatile", strict: false, security_definer: false, text, tracked: false }
    }
}

impl FunctionBody {
    pub(crate) fn digest(&self) -> String {
        let Self { language, volatility, strict, security_definer, text, tracked: _ } = self;
        crate::digest::sha256(format!("{language} {volatility} {strict} {security_definer}\n{text}"))
    }
}
