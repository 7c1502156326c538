//! Forms of PostgreSQL's DDL that sqlparser lacks, mended in the token stream before it reads a statement: words that say nothing about the
//! schema (storage, tablespaces, bounds of partitions) are blanked, and what does say something (`LIKE … INCLUDING …`, named NOT NULL
//! constraints) is taken out and returned. Positions of the other tokens stay as they are.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

use super::bound::Bound;
use super::forms;
use super::name::Name;
use super::operation::{Ident, Like};

/// What was taken out of a statement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gaps {
    /// `ON ONLY` of a CREATE INDEX.
    pub(crate) only: bool,
    /// `LIKE` elements of a CREATE TABLE.
    pub(crate) like: Vec<Like>,
    /// Columns of `[CONSTRAINT name] NOT NULL column` elements.
    pub(crate) not_null: Vec<Ident>,
    /// `PARTITION BY`
    pub(crate) partitioned: bool,
    /// The columns of `PARTITION BY`.
    pub(crate) partition_key: Vec<Ident>,
    /// What rows are divided by, element by element.
    pub(crate) partition_values: Vec<Vec<TokenWithSpan>>,
    /// `FOR VALUES …`, which is read as DEFAULT
    pub(crate) bound: bool,
    /// What it says, as far as bounds are held against each other.
    pub(crate) partition_bound: Option<Bound>,
    /// The type of `CREATE TABLE t OF type`.
    pub(crate) of_type: Option<Name>,
    /// `UNIQUE NULLS NOT DISTINCT` somewhere.
    pub(crate) nulls_collide: bool,
    /// `CHECK (…) NO INHERIT` somewhere.
    pub(crate) no_inherit: bool,
    /// `USING INDEX TABLESPACE pg_default` somewhere.
    pub(crate) default_tablespace: bool,
    /// Where `NOT ENFORCED` stands behind a rule, as numbers of tokens.
    pub(crate) not_enforced: Vec<usize>,
    /// `ENFORCED` behind something else that is said of a rule.
    pub(crate) enforced: bool,
    /// The elements of a CREATE TABLE that say `NOT ENFORCED`.
    pub(crate) unenforced: Vec<Unenforced>,
}

/// An element of a CREATE TABLE that says `NOT ENFORCED`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unenforced {
    /// Whether it is a rule of the table, and no column.
    pub(crate) rule: bool,
    /// Its place among the columns, or among the rules.
    pub(crate) at: usize,
    /// How often it says so.
    pub(crate) times: usize,
}

/// How a comment begins that stands where something was blanked; none of an author's does.
const MENDED: &str = "\0";

/// Whether a token was blanked: white space to the parser, and the author's text all the same.
pub(super) fn is_mended(token: &Token) -> bool {
    matches!(token, Token::Whitespace(Whitespace::SingleLineComment { prefix, .. }) if prefix == MENDED)
}

/// Mends a statement's tokens.
pub(super) fn mend(tokens: &mut Vec<TokenWithSpan>) -> Gaps {
    let mut mender = Mender { tokens, gaps: Gaps::default() };
    let head = mender.head();
    let has = |word: &str| head.iter().any(|w| w == word);
    match head.first().map(String::as_str) {
        // `CREATE PUBLICATION p FOR TABLE t` makes no table.
        _ if has("publication") => {}
        Some("create") if has("table") => {
            if has("foreign") {
                mender.foreign_table();
            }
            mender.create_table();
        }
        Some("create") if has("index") => mender.create_index(),
        Some("create") if has("view") => mender.create_view(),
        Some("alter") if has("table") => mender.table_parts(),
        _ => {}
    }
    // Mostly none of their words is there.
    if mender.has(Keyword::ONLY) {
        mender.only_after_from();
    }
    if mender.has(Keyword::KEY) {
        mender.locking_clauses();
    }
    if mender.has(Keyword::CONFLICT) {
        mender.conflict_targets();
    }
    let gaps = mender.gaps;
    forms::rewrite(tokens);
    gaps
}

/// `U&"d\0061ta" [UESCAPE '!']`: a name with its letters as numbers, read as the name that it is.
pub(super) fn unicode_names(tokens: &mut [TokenWithSpan]) {
    for i in 2..tokens.len() {
        let prefixed = super::parse::is_word(&tokens[i - 2].token, "u") && tokens[i - 1].token == Token::Ampersand;
        let touching =
            tokens[i - 2].span.end == tokens[i - 1].span.start && tokens[i - 1].span.end == tokens[i].span.start;
        let Token::Word(word) = &tokens[i].token else { continue };
        if !prefixed || !touching || word.quote_style != Some('"') {
            continue;
        }
        let solid = |t: &TokenWithSpan| !matches!(t.token, Token::Whitespace(_));
        let mut behind = (i + 1..tokens.len()).filter(|at| solid(&tokens[*at])).take(2);
        let escape = match (behind.next(), behind.next()) {
            (Some(word), Some(text)) if super::parse::is_word(&tokens[word].token, "uescape") => {
                match &tokens[text].token {
                    Token::SingleQuotedString(escape) => escape.chars().next().map(|escape| (escape, vec![word, text])),
                    _ => None,
                }
            }
            _ => None,
        };
        let (escape, mut gone) = escape.unwrap_or(('\\', Vec::new()));
        let Some(name) = unescaped(&word.value, escape) else { continue };
        tokens[i].token = Token::make_word(&name, Some('"'));
        gone.extend([i - 2, i - 1]);
        for at in gone {
            tokens[at].token = blanked();
        }
    }
}

/// A text with its `\0061` and `\+000061` as letters.
fn unescaped(text: &str, escape: char) -> Option<String> {
    let mut found = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != escape {
            found.push(c);
            continue;
        }
        match rest.peek() {
            Some(next) if *next == escape => {
                rest.next();
                found.push(escape);
            }
            next => {
                let long = next == Some(&'+');
                if long {
                    rest.next();
                }
                let digits: String = rest.by_ref().take(if long { 6 } else { 4 }).collect();
                found.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
            }
        }
    }
    Some(found)
}

/// White space to the parser, and the author's text all the same.
pub(super) fn blanked() -> Token {
    Token::Whitespace(Whitespace::SingleLineComment { comment: String::new(), prefix: MENDED.to_owned() })
}

struct Mender<'a> {
    tokens: &'a mut Vec<TokenWithSpan>,
    gaps: Gaps,
}

/// A token that means something, with its depth in parentheses (an opening one has the depth outside of it).
#[derive(Clone, Copy)]
struct Solid {
    at: usize,
    depth: usize,
}

impl Mender<'_> {
    /// Whether a keyword stands anywhere.
    fn has(&self, keyword: Keyword) -> bool {
        self.tokens.iter().any(|token| matches!(&token.token, Token::Word(word) if word.keyword == keyword))
    }

    fn solid(&self) -> Vec<Solid> {
        let mut depth = 0_usize;
        let mut found = Vec::with_capacity(self.tokens.len() / 2);
        for (at, token) in self.tokens.iter().enumerate() {
            match token.token {
                Token::Whitespace(_) | Token::EOF => {}
                Token::LParen => {
                    found.push(Solid { at, depth });
                    depth += 1;
                }
                Token::RParen => {
                    depth = depth.saturating_sub(1);
                    found.push(Solid { at, depth });
                }
                _ => found.push(Solid { at, depth }),
            }
        }
        found
    }

    /// The first words, up to the kind of object.
    fn head(&self) -> Vec<String> {
        let words = self.tokens.iter().filter(|t| !matches!(t.token, Token::Whitespace(_)));
        let words = words.map_while(|t| match &t.token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_lowercase()),
            _ => None,
        });
        let mut head = Vec::new();
        for word in words.take(6) {
            let last = matches!(word.as_str(), "table" | "index" | "view");
            head.push(word);
            if last {
                break;
            }
        }
        head
    }

    fn is(&self, solid: Option<&Solid>, word: &str) -> bool {
        solid.is_some_and(|s| super::parse::is_word(&self.tokens[s.at].token, word))
    }

    fn is_token(&self, solid: Option<&Solid>, token: &Token) -> bool {
        solid.is_some_and(|s| self.tokens[s.at].token == *token)
    }

    fn word(&self, solid: Option<&Solid>) -> bool {
        solid.is_some_and(|s| matches!(self.tokens[s.at].token, Token::Word(_)))
    }

    /// Whether a place is inside the parentheses of `KEY (…)` or `REFERENCES t (…)`.
    fn in_key(&self, solids: &[Solid], at: usize) -> bool {
        let opens =
            |i: &usize| solids[*i].depth + 1 == solids[at].depth && self.tokens[solids[*i].at].token == Token::LParen;
        let Some(open) = (0..at).rev().find(opens) else { return false };
        let back = |n: usize| open.checked_sub(n).and_then(|i| solids.get(i));
        self.is(back(1), "key") || (2..5).any(|n| self.is(back(n), "references"))
    }

    /// Whether words stand at a place.
    fn reads(&self, solids: &[Solid], at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(i, word)| self.is(solids.get(at + i), word))
    }

    fn blank(&mut self, solids: &[Solid]) {
        for solid in solids {
            self.tokens[solid.at].token = blanked();
        }
    }

    /// One past the parenthesis that closes the one at a place.
    fn group(&self, solids: &[Solid], open: usize) -> usize {
        let depth = solids[open].depth;
        let close = |s: &Solid| s.depth == depth && self.tokens[s.at].token == Token::RParen;
        solids[open..].iter().position(close).map_or(solids.len(), |n| open + n + 1)
    }

    /// An identifier, folded.
    fn ident(&self, solid: Option<&Solid>) -> Option<Ident> {
        match &self.tokens[solid?.at].token {
            Token::Word(word) if word.quote_style.is_some() => Some(word.value.as_str().into()),
            Token::Word(word) => Some(word.value.to_lowercase().into()),
            _ => None,
        }
    }

    /// `FROM ONLY t`: inheritance does not matter to names.
    fn only_after_from(&mut self) {
        let solids = self.solid();
        for i in 1..solids.len() {
            let before = ["from", "join", "update", "into"].iter().any(|w| self.is(solids.get(i - 1), w));
            let follows = solids.get(i + 1).is_some_and(|s| matches!(self.tokens[s.at].token, Token::Word(_)));
            if before && follows && self.is(solids.get(i), "only") {
                self.blank(&solids[i..=i]);
            }
        }
    }

    /// `FOR NO KEY UPDATE`, `FOR KEY SHARE`: weaker locks of the same rows.
    fn locking_clauses(&mut self) {
        let solids = self.solid();
        for i in 1..solids.len() {
            if !self.is(solids.get(i - 1), "for") {
                continue;
            }
            if self.reads(&solids, i, &["no", "key", "update"]) {
                self.blank(&solids[i..i + 2]);
            } else if self.reads(&solids, i, &["key", "share"]) {
                self.blank(&solids[i..=i]);
            }
        }
    }

    /// `ON CONFLICT (a, lower(b), c COLLATE x) WHERE p`: expressions and the condition stand among the columns afterwards, as names that
    /// no column has.
    fn conflict_targets(&mut self) {
        let solids = self.solid();
        let targets: Vec<usize> = (2..solids.len())
            .filter(|i| {
                self.reads(&solids, i - 2, &["on", "conflict"]) && self.is_token(solids.get(*i), &Token::LParen)
            })
            .collect();
        // From the back, so that the places before stay.
        for open in targets.into_iter().rev() {
            let close = self.group(&solids, open) - 1;
            let depth = solids[open].depth;
            if !self.is_token(solids.get(close), &Token::RParen) {
                continue;
            }
            let (mut condition, mut kinds) = (None, Vec::new());
            if self.is(solids.get(close + 1), "where") {
                let ends = |s: &Solid| s.depth == depth && super::parse::is_word(&self.tokens[s.at].token, "do");
                let end = solids[close..].iter().position(ends).map_or(solids.len(), |n| close + n);
                condition = Some((solids[close + 1].at, self.text(&solids[close + 2..end])));
                self.blank(&solids[close + 1..end]);
            }
            let mut start = open + 1;
            while start < close {
                let comma = |s: &Solid| s.depth == depth + 1 && self.tokens[s.at].token == Token::Comma;
                let end = solids[start..close].iter().position(comma).map_or(close, |n| start + n);
                let words = solids[start..end]
                    .iter()
                    .all(|s| matches!(self.tokens[s.at].token, Token::Word(_) | Token::Period));
                if end > start + 1 {
                    if !words {
                        let text = format!("{EXPRESSION}{}", self.text(&solids[start..end]));
                        self.tokens[solids[start].at].token = Token::make_word(&text, Some('"'));
                    } else {
                        // A collation or an operator class behind a column.
                        kinds.push((solids[start].at, self.text(&solids[start..end])));
                    }
                    self.blank(&solids[start + 1..end]);
                }
                start = end + 1;
            }
            let kinds = kinds.into_iter().map(|(at, text)| (at, format!("{KIND}{text}")));
            let condition = condition.map(|(at, text)| (at, format!("{CONDITION}{text}")));
            for (at, marker) in kinds.chain(condition) {
                let span = self.tokens[at].span;
                let marker = Token::make_word(&marker, Some('"'));
                let place = solids[close].at;
                self.tokens.splice(place..place, [Token::Comma, marker].map(|token| TokenWithSpan { token, span }));
            }
        }
    }

    /// Tokens as text again.
    fn text(&self, solids: &[Solid]) -> String {
        let words: Vec<_> = solids.iter().map(|solid| self.tokens[solid.at].token.to_string()).collect();
        words.join(" ")
    }

    fn create_index(&mut self) {
        let solids = self.solid();
        let on_only = (1..solids.len().min(16)).find(|i| self.reads(&solids, i - 1, &["on", "only"]));
        if let Some(at) = on_only {
            self.blank(&solids[at..=at]);
            self.gaps.only = true;
        }
        for i in 0..solids.len() {
            let after_key = i > 0 && self.is_token(solids.get(i - 1), &Token::RParen);
            if after_key && solids[i].depth == 0 && self.is(solids.get(i), "tablespace") {
                self.blank(&solids[i..solids.len().min(i + 2)]);
            }
        }
    }

    fn create_view(&mut self) {
        let solids = self.solid();
        let body = (0..solids.len()).find(|i| solids[*i].depth == 0 && self.is(solids.get(*i), "as"));
        self.relation_options(&solids[..body.unwrap_or(solids.len())], 2);
    }

    /// Storage of a relation: `USING heap`, `WITH (…)`, `TABLESPACE t`, `ON COMMIT …`.
    fn relation_options(&mut self, solids: &[Solid], from: usize) {
        let mut i = from;
        while i < solids.len() {
            let next = |n: usize| (i + n).min(solids.len());
            // A table may be called `tablespace`.
            let names = ["table", "exists", "view"].iter().any(|w| self.is(solids.get(i - 1), w));
            let option =
                ["using", "tablespace"].iter().any(|w| self.is(solids.get(i), w)) && self.word(solids.get(i + 1));
            let end = if solids[i].depth > 0 || names {
                i
            } else if option {
                next(2)
            } else if self.is(solids.get(i), "with") && self.is_token(solids.get(i + 1), &Token::LParen) {
                self.group(solids, i + 1)
            } else if self.reads(solids, i, &["without", "oids"]) || self.reads(solids, i, &["on", "commit", "drop"]) {
                next(if self.is(solids.get(i), "on") { 3 } else { 2 })
            } else if self.reads(solids, i, &["on", "commit"]) {
                next(4)
            } else {
                i
            };
            self.blank(&solids[i..end]);
            i = end.max(i + 1);
        }
    }

    /// `SERVER name OPTIONS (…)` and the options of columns.
    fn foreign_table(&mut self) {
        let solids = self.solid();
        if self.is(solids.get(1), "foreign") && self.is(solids.first(), "create") {
            self.blank(&solids[1..2]);
        }
        for i in 2..solids.len() {
            if self.is(solids.get(i), "options") && self.is_token(solids.get(i + 1), &Token::LParen) {
                let end = self.group(&solids, i + 1);
                self.blank(&solids[i..end]);
            } else if solids[i].depth == 0 && self.is(solids.get(i), "server") && i > 3 {
                self.blank(&solids[i..solids.len().min(i + 2)]);
            }
        }
    }

    /// `CREATE TABLE t OF type`: the columns are those of a composite type.
    fn typed_table(&mut self, solids: &[Solid]) {
        let word = |i: usize| solids.get(i).filter(|s| s.depth == 0).and_then(|s| self.ident(Some(s)));
        let Some(of) = (2..solids.len()).take_while(|i| solids[*i].depth == 0).find(|i| {
            // A table may be called `of`.
            let named = ["table", "exists"].iter().any(|w| self.is(solids.get(i - 1), w));
            self.is(solids.get(*i), "of") && !named && word(i + 1).is_some()
        }) else {
            return;
        };
        let Some(first) = word(of + 1) else { return };
        let second = word(of + 3).filter(|_| self.is_token(solids.get(of + 2), &Token::Period));
        let end = if second.is_some() { of + 4 } else { of + 2 };
        self.gaps.of_type = Some(match second {
            Some(name) => Name { schema: Some(first), name },
            None => Name { schema: None, name: first },
        });
        self.blank(&solids[of..end]);
    }

    fn create_table(&mut self) {
        let solids = self.solid();
        let body = (0..solids.len()).find(|i| solids[*i].depth == 0 && self.is(solids.get(*i), "as"));
        let solids = &solids[..body.unwrap_or(solids.len())];
        let partition_of =
            (0..solids.len()).find(|i| solids[*i].depth == 0 && self.reads(solids, *i, &["partition", "of"]));
        if partition_of.is_none() {
            self.typed_table(solids);
        }
        if let Some(open) = solids.iter().position(|s| s.depth == 0 && self.tokens[s.at].token == Token::LParen) {
            let close = self.group(solids, open);
            match partition_of {
                // Its columns are its parent's; defaults and checks of its own are rare, and no type is written.
                Some(of) if of < open && !self.is_bound(solids, of, open) => self.blank(&solids[open..close]),
                Some(_) => {}
                None => self.elements(&solids[open + 1..close.max(open + 2) - 1]),
            }
        }
        for i in 0..solids.len() {
            if solids[i].depth > 0 {
                continue;
            }
            if self.reads(solids, i, &["partition", "by"]) {
                self.gaps.partitioned = true;
                let columns: Vec<_> = (i + 4..solids.len())
                    .take_while(|at| solids[*at].depth > 0)
                    .filter(|at| solids[*at].depth == 1 && !self.is_token(solids.get(at + 1), &Token::LParen))
                    .filter(|at| {
                        self.is_token(solids.get(at - 1), &Token::LParen)
                            || self.is_token(solids.get(at - 1), &Token::Comma)
                    })
                    .filter_map(|at| self.ident(solids.get(at)))
                    .collect();
                self.gaps.partition_key = columns;
                let end = match self.is_token(solids.get(i + 3), &Token::LParen) {
                    true => self.group(solids, i + 3),
                    false => i + 3,
                };
                let inside = solids.get(i + 4..end.max(i + 5) - 1).unwrap_or_default();
                let elements = inside.split(|s| s.depth == 1 && self.tokens[s.at].token == Token::Comma);
                let ends = elements.filter_map(|element| Some((element.first()?.at, element.last()?.at)));
                self.gaps.partition_values = ends.map(|(from, to)| self.tokens[from..=to].to_vec()).collect();
                self.blank(&solids[i..end.min(solids.len())]);
            } else if self.reads(solids, i, &["for", "values"]) {
                let mut end = i + 1;
                let ends = ["partition", "using", "tablespace"];
                while end < solids.len() {
                    let options = self.is(solids.get(end), "with") && end > i + 3;
                    let on_commit = self.is(solids.get(end), "on");
                    if solids[end].depth == 0
                        && (options || on_commit || ends.iter().any(|w| self.is(solids.get(end), w)))
                    {
                        break;
                    }
                    end += 1;
                }
                let hash = self.is(solids.get(i + 2), "with");
                let end = if hash { self.group(solids, (i + 3).min(solids.len() - 1)) } else { end };
                let words: Vec<String> = solids[i..end].iter().map(|s| self.tokens[s.at].token.to_string()).collect();
                self.gaps.partition_bound = Bound::read(&words.join(" "));
                self.blank(&solids[i + 1..end]);
                self.rewrite(solids[i].at, "DEFAULT");
                self.gaps.bound = true;
            }
        }
        self.relation_options(solids, 2);
        self.table_parts();
    }

    /// Whether a parenthesis belongs to the bound of a partition.
    fn is_bound(&self, solids: &[Solid], of: usize, open: usize) -> bool {
        (of..open).any(|i| self.is(solids.get(i), "for"))
    }

    fn rewrite(&mut self, at: usize, word: &str) {
        self.tokens[at].token = Token::make_word(word, None);
    }

    /// The elements between the parentheses of a CREATE TABLE.
    fn elements(&mut self, solids: &[Solid]) {
        let mut columns = 0;
        let mut rules = 0;
        let mut start = 0;
        let mut dangling: Option<Solid> = None;
        while start < solids.len() {
            let comma = |s: &Solid| s.depth == 1 && self.tokens[s.at].token == Token::Comma;
            let end = solids[start..].iter().position(comma).map_or(solids.len(), |n| start + n);
            let element = &solids[start..end];
            let named = if self.is(element.first(), "constraint") { 2 } else { 0 };
            let taken = if self.is(element.first(), "like") {
                self.like(element, columns)
            } else if self.reads(element, named, &["not", "null"]) && element.len() > named + 2 {
                self.gaps.not_null.extend(self.ident(element.get(named + 2)));
                true
            } else {
                let words = ["constraint", "check", "unique", "primary", "foreign"];
                let excludes = self.is(element.get(1), "using") || self.is_token(element.get(1), &Token::LParen);
                let rule = words.iter().any(|word| self.is(element.first(), word))
                    || self.is(element.first(), "exclude") && excludes;
                let said = |i: &usize| self.reads(element, *i, &["not", "enforced"]) && element[*i].depth == 1;
                let times = (1..element.len()).filter(said).count();
                let at = if rule { rules } else { columns - rules };
                self.gaps.unenforced.extend((times > 0).then_some(Unenforced { rule, at, times }));
                rules += usize::from(rule);
                columns += 1;
                false
            };
            if taken {
                self.blank(element);
                // One of the commas beside it goes with it.
                match solids.get(end) {
                    Some(comma) => self.blank(&[*comma]),
                    None => self.blank(dangling.as_slice()),
                }
            } else {
                dangling = solids.get(end).copied();
            }
            start = end + 1;
        }
    }

    /// `LIKE name [INCLUDING|EXCLUDING what]…`
    fn like(&mut self, element: &[Solid], at: usize) -> bool {
        let Some(first) = self.ident(element.get(1)) else { return false };
        let qualified = self.is_token(element.get(2), &Token::Period);
        let (name, mut i) = match (qualified, self.ident(element.get(3))) {
            (true, Some(second)) => (Name::qualified(first, second), 4),
            (true, None) => return false,
            (false, _) => (Name::bare(first), 2),
        };
        let mut like = Like { name, at, ..Like::default() };
        while i + 1 < element.len() {
            let include = self.is(element.get(i), "including");
            let Some(what) = self.ident(element.get(i + 1)) else { return false };
            let all = &*what == "all";
            let parts = [
                ("defaults", &mut like.defaults),
                ("constraints", &mut like.constraints),
                ("generated", &mut like.generated),
                ("identity", &mut like.identity),
                ("indexes", &mut like.indexes),
            ];
            for (name, part) in parts {
                if all || *name == *what {
                    *part = include;
                }
            }
            i += 2;
        }
        self.gaps.like.push(like);
        true
    }

    /// What may stand in columns and constraints, of CREATE and of ALTER TABLE.
    fn table_parts(&mut self) {
        let solids = self.solid();
        let (mut modes, mut binds_nothing) = (Vec::new(), Vec::new());
        let (mut nulls_collide, mut default_tablespace, mut inherits_not, mut binds) = (false, false, false, false);
        for i in 1..solids.len() {
            let before = |word: &str| self.is(solids.get(i - 1), word);
            let closes = self.is_token(solids.get(i - 1), &Token::RParen);
            let after_rule = closes
                || ["null", "valid", "enforced", "deferrable", "deferred", "immediate", "inherit"]
                    .iter()
                    .any(|w| before(w));
            let two_words = |a: &str, b: &str| self.reads(&solids, i, &[a, b]);
            let one_of = |n: usize, words: &[&str]| words.iter().any(|w| self.is(solids.get(n), w));
            let storage = !one_of(i - 1, &["set", "including", "excluding", "column"])
                && (self.is(solids.get(i), "compression") && one_of(i + 1, &["pglz", "lz4", "default"])
                    || self.is(solids.get(i), "storage")
                        && one_of(i + 1, &["plain", "external", "extended", "main", "default"]));
            let period = self.is(solids.get(i), "period") && self.in_key(&solids, i) && self.word(solids.get(i + 1));
            let not_enforced = two_words("not", "enforced") && after_rule;
            let no_inherit = two_words("no", "inherit") && (after_rule || i > 1 && self.is(solids.get(i - 2), "null"));
            let length = if self.reads(&solids, i, &["using", "index", "tablespace"]) {
                default_tablespace |= self.is(solids.get(i + 3), "pg_default");
                4
            } else if self.reads(&solids, i, &["nulls", "not", "distinct"]) && before("unique") {
                nulls_collide = true;
                3
            } else if storage
                || two_words("nulls", "distinct") && before("unique")
                || two_words("without", "overlaps")
                || no_inherit
                || not_enforced
            {
                2
            } else {
                usize::from(self.is(solids.get(i), "enforced") && after_rule || period)
            };
            inherits_not |= no_inherit && closes;
            binds |= self.is(solids.get(i), "enforced") && after_rule;
            binds_nothing.extend(not_enforced.then_some(solids[i].at));
            // `ON DELETE SET NULL (column)`
            let referential =
                (two_words("set", "null") || two_words("set", "default")) && (before("delete") || before("update"));
            self.blank(&solids[i..(i + length).min(solids.len())]);
            // What the sequence of an identity column does: `(START WITH 100 INCREMENT BY 5)`.
            if self.is(solids.get(i - 1), "identity") && self.is_token(solids.get(i), &Token::LParen) {
                let end = self.group(&solids, i);
                self.blank(&solids[i..end]);
            }
            // How the index of a key is stored: `WITH (fillfactor = 70)`.
            if closes && self.is(solids.get(i), "with") && self.is_token(solids.get(i + 1), &Token::LParen) {
                let end = self.group(&solids, i + 1);
                self.blank(&solids[i..end]);
            }
            if referential && self.is_token(solids.get(i + 2), &Token::LParen) {
                let end = self.group(&solids, i + 2);
                self.blank(&solids[i + 2..end]);
            }
            // `GENERATED ALWAYS AS (…) [VIRTUAL]`, since version 18 virtual if nothing is said.
            if self.reads(&solids, i, &["always", "as"]) && self.is_token(solids.get(i + 2), &Token::LParen) {
                let end = self.group(&solids, i + 2);
                if self.is(solids.get(end), "virtual") {
                    self.blank(&solids[end..=end]);
                }
                if !self.is(solids.get(end), "stored") && end > i + 3 {
                    modes.push(solids[end - 1].at);
                }
            }
        }
        self.gaps.nulls_collide = nulls_collide;
        self.gaps.default_tablespace = default_tablespace;
        self.gaps.no_inherit = inherits_not;
        self.gaps.not_enforced = binds_nothing;
        self.gaps.enforced = binds;
        // From the back, so that the places before stay.
        for at in modes.into_iter().rev() {
            let span = self.tokens[at].span;
            let word = |text: &str| Token::make_word(text, None);
            let mode = [word("STORED"), word("COMMENT"), Token::SingleQuotedString(VIRTUAL.to_owned())];
            let spaced = mode.into_iter().flat_map(|token| [Token::Whitespace(Whitespace::Space), token]);
            let inserted: Vec<_> = spaced.map(|token| TokenWithSpan { token, span }).collect();
            self.tokens.splice(at + 1..at + 1, inserted);
        }
    }
}

/// How the name of an expression among the columns of ON CONFLICT begins; the expression follows.
pub(super) const EXPRESSION: &str = "\u{0}expression ";

/// How the name of the condition behind the columns of ON CONFLICT begins; the condition follows.
pub(super) const CONDITION: &str = "\u{0}condition ";

/// How a column with its collation and its operator class begins among the columns.
pub(super) const KIND: &str = "\u{0}kind ";

/// How a virtual column is marked for the lowering, in a comment that only other databases have.
pub(super) const VIRTUAL: &str = "virtual";
