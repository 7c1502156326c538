//! Bytes in hexadecimal, for checksums and fingerprints.

use sha2::{Digest as _, Sha256};

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// SHA-256 in lower-case hex of what is written.
pub(crate) fn sha256_written<E>(write: impl FnOnce(&mut Sha256) -> Result<(), E>) -> Result<String, E> {
    let mut hash = Sha256::new();
    write(&mut hash)?;
    Ok(hex(&hash.finalize()))
}

/// SHA-256 in lower-case hex.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}
