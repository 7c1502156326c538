//! The word by which callers are known.

use crate::digest::sha256;

/// A token, of which only its hash is kept: comparing hashes tells nothing of how much was right.
pub struct Token(String);

impl Token {
    /// From its text; none, if it is too short to keep anybody out.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (text.len() >= Self::SHORTEST).then(|| Self(sha256(text)))
    }

    /// How many bytes a token has at least.
    pub const SHORTEST: usize = 16;

    pub(super) fn is(&self, given: &[u8]) -> bool {
        sha256(given) == self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}
