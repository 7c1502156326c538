//! How applications spell the names of a schema. The whole table, with `user_accounts` for a table, `user_id` for a column, and the label
//! `in progress`:
//!
//! | what | as in SQL, in any case | as names of a program |
//! |---|---|---|
//! | table, view | `user_accounts`, `user_account` | `userAccounts`, `UserAccounts`, `userAccount`, `UserAccount`; Django's class without its application: `Accounts` |
//! | column, attribute | `user_id`, `USER_ID` | `userId`, `UserId`, `UserID` |
//! | label | `'in progress'`, `"in progress"`, `:in_progress` | `IN_PROGRESS`, `InProgress` |
//! | type, function | `order_state` | `orderState`, `OrderState` |
//! | all others | `orders_email_key` | |
//!
//! All are whole words: `user_id` is not mentioned in `user_ids` nor in `getUserId`.

use super::taken::{TakenKind, TakenName};

/// One way to write a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spelling {
    /// In lower case.
    pub(super) text: String,
    pub(super) case: Case,
}

/// Which letters must be capitals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Case {
    /// Any may be.
    Any,
    /// Those that words begin with, from the second word on, and not all: `userId`, `UserID`. The bytes where words begin.
    Humps(Vec<usize>),
    /// The first one of each word, and not all: `UserId`.
    Classes(Vec<usize>),
    /// All: `IN_PROGRESS`.
    Upper,
    /// These, between quotes or behind a colon.
    Quoted(String),
}

impl Case {
    /// Whether the text from `start` to `end`, which is the spelling but for case, is written so.
    pub(super) fn fits(&self, text: &str, start: usize, end: usize) -> bool {
        let word = &text.as_bytes()[start..end];
        let mixed = || word.iter().any(u8::is_ascii_lowercase);
        let capital = |at: &usize| word.get(*at).is_some_and(|byte| !byte.is_ascii_lowercase());
        match self {
            Self::Any => true,
            Self::Humps(starts) => mixed() && starts.iter().all(capital),
            // A class of one letter is a capital.
            Self::Classes(starts) => (mixed() || word.len() == 1) && capital(&0) && starts.iter().all(capital),
            Self::Upper => !mixed(),
            Self::Quoted(exact) => {
                let before = start.checked_sub(1).map(|at| text.as_bytes()[at]);
                let quoted =
                    before.is_some_and(|q| matches!(q, b'\'' | b'"' | b'`') && text.as_bytes().get(end) == Some(&q));
                (quoted || before == Some(b':')) && word == exact.as_bytes()
            }
        }
    }
}

/// The ways in which applications write a name.
pub(super) fn spellings(name: &TakenName) -> Vec<Spelling> {
    let exact = name.name.to_ascii_lowercase();
    let words: Vec<&str> = exact.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut found = Vec::new();
    let any = |text: &str| Spelling { text: text.to_owned(), case: Case::Any };
    match name.kind {
        TakenKind::Relation => {
            found.extend([any(&exact), humps(&words)]);
            let (last, number) = words.last().map(|word| (*word, other_number(word))).unwrap_or_default();
            let other: Vec<&str> = words.iter().rev().skip(1).rev().copied().chain([number.as_str()]).collect();
            // Half of all programs say `order` to other things than a row of `orders`.
            if words.len() > 1 && number.len() < last.len() {
                found.extend([any(&other.join("_")), humps(&other)]);
            }
            found.extend([classes(&words), classes(&other)]);
            if words.len() > 1 {
                found.push(classes(&words[1..]));
            }
        }
        TakenKind::Column | TakenKind::Type | TakenKind::Function => {
            found.push(any(&exact));
            if words.len() > 1 {
                found.push(humps(&words));
            }
        }
        TakenKind::Label => {
            found.push(Spelling { text: exact.clone(), case: Case::Quoted(name.name.to_string()) });
            let snake = words.join("_");
            found.push(Spelling { text: snake.clone(), case: Case::Quoted(snake.clone()) });
            found.push(Spelling { text: snake, case: Case::Upper });
            found.push(classes(&words));
        }
        TakenKind::Other => found.push(any(&exact)),
    }
    found.retain(|spelling| spelling.text.bytes().any(super::search::is_word));
    found.sort();
    found.dedup();
    found
}

fn humps(words: &[&str]) -> Spelling {
    let (text, mut starts) = joined(words);
    // One word has no humps: written as it is, it is the name itself.
    if starts.is_empty() {
        return Spelling { text, case: Case::Any };
    }
    starts.remove(0);
    Spelling { text, case: if starts.is_empty() { Case::Any } else { Case::Humps(starts) } }
}

fn classes(words: &[&str]) -> Spelling {
    let (text, starts) = joined(words);
    Spelling { text, case: Case::Classes(starts) }
}

/// The words without anything between them, and where each begins.
fn joined(words: &[&str]) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut starts = Vec::new();
    for word in words {
        starts.push(text.len());
        text.push_str(word);
    }
    (text, starts)
}

/// `orders` for `order`, and `order` for `orders`: as regular as English is.
fn other_number(word: &str) -> String {
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| word.ends_with(suffix));
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    if ends(&["sses", "xes", "ches", "shes"]) {
        return word[..word.len() - 2].to_owned();
    }
    if ends(&["s"]) && !ends(&["ss", "us", "is"]) {
        return word[..word.len() - 1].to_owned();
    }
    match word.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if ends(&["s", "x", "ch", "sh"]) => format!("{word}es"),
        _ => format!("{word}s"),
    }
}
