//! Which unique index `ON CONFLICT` means.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sure, normal};
use crate::schema::{Index, is_built_in};
use crate::sql::operation::Ident;
use crate::sql::query::KeyKind;

/// What `ON CONFLICT (…) WHERE …` looks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arbiter {
    /// The columns.
    pub columns: BTreeSet<Ident>,
    /// The expressions, spelled alike if they are the same.
    pub expressions: BTreeSet<String>,
    /// The condition, spelled like that of an index that says the same.
    pub predicate: Option<String>,
    /// The collations and operator classes that it asks for, by column.
    pub kinds: BTreeMap<Ident, KeyKind>,
}

impl Arbiter {
    /// Whether it finds an index.
    pub fn finds(&self, index: &Index) -> Sure {
        let columns: BTreeSet<&Ident> = index.key.iter().flatten().collect();
        let expressions: BTreeSet<String> = index.expressions.iter().map(|text| normal(text)).collect();
        if !index.unique || !index.valid || !columns.into_iter().eq(&self.columns) {
            return Sure::No;
        }
        let same = match () {
            () if expressions == self.expressions => Sure::Yes,
            () if expressions.len() == self.expressions.len() => Sure::Unsure,
            () => Sure::No,
        };
        // The condition must follow from the query's.
        let covered = match (&index.predicate, &self.predicate) {
            (None, _) => Sure::Yes,
            (Some(_), None) => Sure::No,
            (Some(of), Some(wanted)) if normal(of) == *wanted => Sure::Yes,
            (Some(_), Some(_)) => Sure::Unsure,
        };
        let kinds = self.kinds.iter().map(|(column, wanted)| meets(wanted, index.kinds.get(column)));
        let all: Vec<Sure> = [same, covered].into_iter().chain(kinds).collect();
        match () {
            () if all.contains(&Sure::No) => Sure::No,
            () if all.contains(&Sure::Unsure) => Sure::Unsure,
            () => Sure::Yes,
        }
    }
}

/// Whether a column of an index is compared as `ON CONFLICT` asks for. Of a column's own collation nothing is known here.
fn meets(wanted: &KeyKind, own: Option<&KeyKind>) -> Sure {
    let class = wanted.class.as_deref().map_or(Sure::Yes, |wanted| {
        let own = own.and_then(|own| own.class.as_deref()).unwrap_or_default();
        match (family(wanted), family(own)) {
            (wanted, own) if wanted == own => Sure::Yes,
            (Some(_), Some(_)) => Sure::No,
            _ => Sure::Unsure,
        }
    });
    let collation = match (&wanted.collation, own.and_then(|own| own.collation.as_ref())) {
        (None, _) => Sure::Yes,
        (Some(wanted), Some(own)) if wanted == own => Sure::Yes,
        (Some(_), Some(_)) => Sure::No,
        (Some(_), None) => Sure::Unsure,
    };
    if class == Sure::Yes { collation } else { class }
}

/// What a class of the server's belongs to; empty: to what its type is compared by anyway. `None`: it is none of the server's.
fn family(class: &str) -> Option<&str> {
    const OTHERS: [(&str, &str); 4] = [
        ("bpchar_pattern_ops", "bpchar_pattern_ops"),
        ("record_image_ops", "record_image_ops"),
        ("text_pattern_ops", "text_pattern_ops"),
        ("varchar_pattern_ops", "text_pattern_ops"),
    ];
    let other = OTHERS.iter().find(|(name, _)| *name == class).map(|(_, family)| *family);
    other.or_else(|| (class.is_empty() || is_built_in(class)).then_some(""))
}

/// What is written in the key of an index beside its columns, and is not what they have anyway.
pub(crate) fn kinds_of(parts: impl Iterator<Item = (Ident, KeyKind)>) -> BTreeMap<Ident, KeyKind> {
    let kinds = parts.map(|(column, kind)| {
        let class = kind.class.map(|class| family(&class).map_or_else(|| class.clone(), Ident::from));
        (column, KeyKind { class: class.filter(|class| !class.is_empty()), ..kind })
    });
    kinds.filter(|(_, kind)| *kind != KeyKind::default()).collect()
}
