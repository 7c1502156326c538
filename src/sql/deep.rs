//! Statements that are nested deeply: chains of ten thousand `OR`s, views of thousands of `UNION ALL`s. The parser's tree of such a chain is as
//! deep as the chain is long, and everything that walks over it, its end included, needs the stack. So it lives and ends on a stack that is
//! large enough, and what would be too deep even for that is not read. Trees of our own are kept shallow where they are made.

use super::lex::{TokenKind, lexemes};

/// Deeper statements are not read.
const DEEPEST: usize = 60_000;

/// What any thread's stack is large enough for.
const SHALLOW: usize = 40;

/// What one level may need.
const LEVEL: usize = if cfg!(debug_assertions) { 16 << 10 } else { 6 << 10 };

/// How many levels a query in a chain of queries counts as: its part of the tree is the largest.
const QUERY: usize = 3;

/// What is needed besides.
const BASE: usize = 4 << 20;

/// The deepest that trees of our own get.
pub(super) const DEEPEST_OF_OURS: u32 = 150;

/// Why a statement is not read.
pub(super) const TOO_DEEP: &str = "it is nested too deeply to be read";

/// Works on a text, on a stack that is large enough for the tree of it; `None`: none is.
pub(super) fn with_stack<T>(text: &str, work: impl FnOnce() -> T) -> Option<T> {
    match depth(text) {
        depth if depth > DEEPEST => None,
        depth if depth > SHALLOW => Some(stacker::grow(BASE + depth * LEVEL, work)),
        _ => Some(work()),
    }
}

/// How deep the tree of a text may be, at most.
pub(super) fn depth(text: &str) -> usize {
    // Each level takes a byte or more.
    if text.len() <= SHALLOW {
        return 0;
    }
    /// What stands in front at one level of parentheses: in an expression, which ends with a comma, and beyond.
    #[derive(Clone, Copy, Default)]
    struct Level {
        outside: usize,
        chain: usize,
        beyond: usize,
    }
    let mut levels = vec![Level::default()];
    let (mut here, mut deepest) = (Level::default(), 0);
    for piece in lexemes(text) {
        match piece.kind {
            TokenKind::Symbol => match piece.text {
                "(" => {
                    levels.push(here);
                    here = Level { outside: here.outside + here.chain + here.beyond + 1, ..Level::default() };
                }
                ")" => here = levels.pop().unwrap_or_default(),
                "," => here.chain = 0,
                "." | ";" | "]" => {}
                _ => here.chain += 1,
            },
            TokenKind::Word => {
                if piece.is_any(&["union", "intersect", "except", "join"]) {
                    here.chain = 0;
                    here.beyond += QUERY;
                } else if piece.is_any(CHAINING) {
                    here.chain += 1;
                }
            }
            _ => {}
        }
        deepest = deepest.max(here.outside + here.chain + here.beyond);
    }
    deepest
}

/// Words that an expression becomes deeper by.
const CHAINING: &[&str] = &[
    "and", "or", "not", "is", "isnull", "notnull", "in", "like", "ilike", "similar", "between", "collate", "at",
    "case", "when", "then", "else", "operator", "array", "overlaps", "over", "filter", "of",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_of_a_text() {
        let check = |text: &str, least: usize, most: usize| {
            let found = depth(text);
            assert!((least..=most).contains(&found), "{found}: {}", &text[..text.len().min(60)]);
        };
        let chain = |part: &str, by: &str| vec![part; 1000].join(by);
        check(&format!("SELECT {}", chain("a = 1", " OR ")), 1000, 2100);
        check(&format!("SELECT {}", chain("a", "+")), 900, 1100);
        check(&chain("SELECT a, b FROM t", " UNION ALL "), 2900, 3100);
        check(&format!("INSERT INTO t VALUES {}", chain("(1, -2, 'a-b-c')", ", ")), 0, 10);
        check(&format!("SELECT {}", chain("a", ", ")), 0, 2);
        check(&format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500)), 500, 510);
        check(&format!("SELECT '{}'", "+".repeat(5000)), 0, 2);
        check(&format!("SELECT a{}", "::int".repeat(500)), 500, 510);
    }
}
