//! `--format`: the names of a registry of output formats.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::report::Format;

/// `--format` of what has two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum TextOrJson {
    Text,
    Json,
}

/// Reads the name of a format; help lists all of them.
pub(super) fn parser<T>(formats: &'static [Format<T>]) -> impl TypedValueParser<Value = &'static Format<T>> {
    named(formats, |format| (format.name, format.about))
}

/// Reads the name of one of several things that have a name and a word about them.
pub(super) fn named<T: Sync>(
    all: impl IntoIterator<Item = &'static T>,
    words: fn(&'static T) -> (&'static str, &'static str),
) -> impl TypedValueParser<Value = &'static T> {
    let all: Vec<&'static T> = all.into_iter().collect();
    let values = all.iter().copied().map(words).map(|(name, about)| PossibleValue::new(name).help(about));
    PossibleValuesParser::new(values).try_map(move |name| {
        all.iter().copied().find(|one| words(one).0 == name).ok_or_else(|| format!("there is no {name}"))
    })
}
