//! What a statement outside a transaction is, as far as finding out after a crash whether it happened needs it. Read from the parser's
//! tokens, so that quotes and comments count as what they are.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// A statement that runs outside a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Alone {
    /// `CREATE INDEX CONCURRENTLY`.
    CreateIndex {
        /// The index's bare name; `None` if the server makes one up.
        name: Option<String>,
        /// The table, as SQL.
        table: String,
    },
    /// `DROP INDEX CONCURRENTLY`.
    DropIndex {
        /// The index, as SQL.
        index: String,
    },
    /// `REINDEX … CONCURRENTLY` of an index or a table.
    Reindex {
        /// The relation, as SQL.
        relation: String,
    },
    /// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`.
    DetachPartition {
        /// The partitioned table, as SQL.
        parent: String,
        /// The partition, as SQL.
        partition: String,
    },
    /// `ALTER TYPE … ADD VALUE`.
    AddEnumValue {
        /// The type, as SQL.
        name: String,
        /// The label.
        label: String,
    },
    /// Doing it twice is as good as once: `VACUUM`, `ANALYZE`, `CLUSTER`, `CHECKPOINT`, other `REINDEX`.
    Rerunnable,
    /// `CALL` and `DO` may commit on their way, so an error does not mean that nothing happened.
    MayCommit,
    /// Nothing that is known here.
    Other,
}

struct Tokens {
    all: Vec<Token>,
    at: usize,
}

impl Tokens {
    fn of(sql: &str) -> Option<Self> {
        let all = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().ok()?;
        let all = all.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
        Some(Self { all, at: 0 })
    }

    /// Takes the keywords if they are all there.
    fn take(&mut self, keywords: &str) -> bool {
        let wanted: Vec<&str> = keywords.split(' ').collect();
        let there = wanted.iter().enumerate().all(|(i, keyword)| match self.all.get(self.at + i) {
            Some(Token::Word(word)) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword),
            _ => false,
        });
        if there {
            self.at += wanted.len();
        }
        there
    }

    /// Takes an identifier, folded as the server folds it.
    fn name(&mut self) -> Option<String> {
        let Some(Token::Word(word)) = self.all.get(self.at) else { return None };
        self.at += 1;
        Some(fold(word))
    }

    /// Takes a possibly qualified name and spells it so that it reads the same anywhere.
    fn qualified(&mut self) -> Option<String> {
        let mut text = quote(&self.name()?);
        while self.all.get(self.at) == Some(&Token::Period) {
            self.at += 1;
            text = format!("{text}.{}", quote(&self.name()?));
        }
        Some(text)
    }

    fn string(&mut self) -> Option<String> {
        let text = match self.all.get(self.at)? {
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => text.clone(),
            _ => return None,
        };
        self.at += 1;
        Some(text)
    }

    /// Skips `( … )`, the options of REINDEX, and says whether one of them is the keyword.
    fn options(&mut self, keyword: &str) -> bool {
        let mut found = false;
        if self.all.get(self.at) == Some(&Token::LParen) {
            while let Some(token) = self.all.get(self.at) {
                self.at += 1;
                match token {
                    Token::RParen => break,
                    Token::Word(word) => found |= word.value.eq_ignore_ascii_case(keyword),
                    _ => {}
                }
            }
        }
        found
    }
}

fn fold(word: &sqlparser::tokenizer::Word) -> String {
    if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Every identifier of a statement, keywords among them.
pub(crate) fn words(sql: &str) -> Vec<String> {
    let tokens = Tokens::of(sql).map_or_else(Vec::new, |tokens| tokens.all);
    let words = tokens.iter().filter_map(|token| match token {
        Token::Word(word) => Some(fold(word)),
        _ => None,
    });
    words.collect()
}

/// The identifiers of a statement that no schema or table stands before, keywords among them.
pub(crate) fn bare_names(sql: &str) -> Vec<String> {
    let tokens = Tokens::of(sql).map_or_else(Vec::new, |tokens| tokens.all);
    let before = std::iter::once(None).chain(tokens.iter().map(Some));
    let bare = tokens.iter().zip(before).filter(|(_, before)| *before != Some(&Token::Period));
    let words = bare.filter_map(|(token, _)| match token {
        Token::Word(word) => Some(fold(word)),
        _ => None,
    });
    words.collect()
}

/// A name as it is written in SQL: its schema, if it has one, and the rest.
pub(crate) fn qualified_name(text: &str) -> (Option<String>, String) {
    let tokens = Tokens::of(text).map_or_else(Vec::new, |tokens| tokens.all);
    match tokens.as_slice() {
        [Token::Word(name)] => (None, fold(name)),
        [Token::Word(schema), Token::Period, Token::Word(name)] => (Some(fold(schema)), fold(name)),
        _ => (None, text.to_owned()),
    }
}

/// The table of what follows `UPDATE` or `FROM`, without its alias, as SQL.
pub(crate) fn table(sql: &str) -> Option<String> {
    let mut t = Tokens::of(sql)?;
    t.take("ONLY");
    t.qualified()
}

/// What a statement makes where the search path begins: it has no schema, and is not temporary.
pub(crate) fn makes_bare(sql: &str) -> Option<String> {
    const KINDS: [&str; 9] =
        ["TABLE", "MATERIALIZED VIEW", "VIEW", "SEQUENCE", "FUNCTION", "PROCEDURE", "AGGREGATE", "TYPE", "DOMAIN"];
    let mut t = Tokens::of(sql)?;
    if !t.take("CREATE") {
        return None;
    }
    for may in ["OR REPLACE", "UNLOGGED", "RECURSIVE"] {
        t.take(may);
    }
    if !KINDS.iter().any(|kind| t.take(kind)) {
        return None;
    }
    t.take("IF NOT EXISTS");
    let name = t.name()?;
    (t.all.get(t.at) != Some(&Token::Period)).then_some(name)
}

impl Alone {
    /// Recognises a statement.
    pub(crate) fn of(sql: &str) -> Self {
        Tokens::of(sql).and_then(|mut tokens| Self::read(&mut tokens)).unwrap_or(Self::Other)
    }

    fn read(t: &mut Tokens) -> Option<Self> {
        if t.take("CREATE UNIQUE INDEX CONCURRENTLY") || t.take("CREATE INDEX CONCURRENTLY") {
            t.take("IF NOT EXISTS");
            let name = if t.take("ON") { None } else { Some(t.name()?).filter(|_| t.take("ON")) };
            t.take("ONLY");
            return Some(Self::CreateIndex { name, table: t.qualified()? });
        }
        if t.take("DROP INDEX CONCURRENTLY") {
            t.take("IF EXISTS");
            return Some(Self::DropIndex { index: t.qualified()? });
        }
        if t.take("REINDEX") {
            let concurrently = t.options("CONCURRENTLY");
            if !(t.take("INDEX") || t.take("TABLE")) {
                return Some(Self::Rerunnable);
            }
            return Some(match t.take("CONCURRENTLY") || concurrently {
                true => Self::Reindex { relation: t.qualified()? },
                false => Self::Rerunnable,
            });
        }
        if t.take("ALTER TABLE") {
            t.take("IF EXISTS");
            t.take("ONLY");
            let parent = t.qualified()?;
            if !t.take("DETACH PARTITION") {
                return None;
            }
            return Some(Self::DetachPartition { parent, partition: t.qualified()? });
        }
        if t.take("ALTER TYPE") {
            let name = t.qualified()?;
            if !t.take("ADD VALUE") {
                return None;
            }
            t.take("IF NOT EXISTS");
            return Some(Self::AddEnumValue { name, label: t.string()? });
        }
        if ["VACUUM", "ANALYZE", "ANALYSE", "CLUSTER", "CHECKPOINT"].iter().any(|keyword| t.take(keyword)) {
            return Some(Self::Rerunnable);
        }
        (t.take("CALL") || t.take("DO")).then_some(Self::MayCommit)
    }

    /// Whether it waits for other transactions in phases of its own, so that a `lock_timeout` would break it off half-way for nothing.
    pub(crate) fn waits_on_its_own(&self) -> bool {
        match self {
            Self::CreateIndex { .. } | Self::DropIndex { .. } | Self::Reindex { .. } | Self::DetachPartition { .. } => {
                true
            }
            Self::AddEnumValue { .. } | Self::Rerunnable | Self::MayCommit | Self::Other => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_search_path_decides_are_told_from_others() {
        assert_eq!(
            bare_names("ALTER TABLE public.users ADD \"No\" int"),
            ["alter", "table", "public", "add", "No", "int"]
        );
        assert_eq!(qualified_name("app.\"My users\""), (Some("app".into()), "My users".into()));
        assert_eq!(qualified_name("Users"), (None, "users".into()));
        let made = |sql| makes_bare(sql);
        assert_eq!(made("CREATE TABLE IF NOT EXISTS t (a int)").as_deref(), Some("t"));
        assert_eq!(made("CREATE OR REPLACE FUNCTION f() RETURNS int").as_deref(), Some("f"));
        assert_eq!(made("CREATE TABLE app.t (a int)"), None);
        assert_eq!(made("CREATE TEMP TABLE t (a int)"), None);
        assert_eq!(made("CREATE INDEX i ON t (a)"), None);
    }

    fn index(name: Option<&str>, table: &str) -> Alone {
        Alone::CreateIndex { name: name.map(str::to_owned), table: table.into() }
    }

    #[test]
    fn create_index() {
        let check = |sql: &str| Alone::of(sql);
        assert_eq!(check("create index concurrently Ix on Users (a)"), index(Some("ix"), "\"users\""));
        assert_eq!(
            check("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"I\"\"x\" ON ONLY app.\"Users\" (a)"),
            index(Some("I\"x"), "\"app\".\"Users\"")
        );
        assert_eq!(check("CREATE INDEX CONCURRENTLY ON users (a)"), index(None, "\"users\""));
        assert_eq!(check("/* CREATE INDEX CONCURRENTLY x ON y */ VACUUM y"), Alone::Rerunnable);
    }

    #[test]
    fn the_others() {
        assert_eq!(
            Alone::of("DROP INDEX CONCURRENTLY IF EXISTS a.b"),
            Alone::DropIndex { index: "\"a\".\"b\"".into() }
        );
        let reindex = Alone::Reindex { relation: "\"t\"".into() };
        assert_eq!(Alone::of("REINDEX TABLE CONCURRENTLY t"), reindex);
        assert_eq!(Alone::of("REINDEX (VERBOSE, CONCURRENTLY) INDEX t"), reindex);
        assert_eq!(Alone::of("REINDEX DATABASE d"), Alone::Rerunnable);
        assert_eq!(
            Alone::of("ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY"),
            Alone::DetachPartition { parent: "\"p\"".into(), partition: "\"p1\"".into() }
        );
        assert_eq!(
            Alone::of("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'so ''so' AFTER 'ok'"),
            Alone::AddEnumValue { name: "\"mood\"".into(), label: "so 'so".into() }
        );
        assert_eq!(Alone::of("CALL refill()"), Alone::MayCommit);
        assert_eq!(Alone::of("CREATE DATABASE x"), Alone::Other);
        assert_eq!(Alone::of("'unclosed"), Alone::Other);
    }
}
