//! Words that whatever is outside has in common.

/// An error with what it comes from: a client says of each that it is a service's.
#[cfg(any(feature = "aws-account", feature = "kubernetes"))]
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        below = source.source();
    }
    text
}

/// Why what needs a client is not asked in a build without it. `feature`: the one that brings it.
pub(crate) fn not_built(feature: &str) -> String {
    format!("its client is not part of this build; install `cutover` with `--features {feature}`")
}
