//! A password that somebody has to be asked for, each time anew: a token of a cloud is one for some minutes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::Secret;

/// The password, or why there is none.
pub type AskedPassword = Pin<Box<dyn Future<Output = Result<Secret, String>> + Send>>;

/// Whom to ask for the password, for each connection.
#[derive(Clone)]
pub struct PasswordSource(Arc<dyn Fn() -> AskedPassword + Send + Sync>);

impl PasswordSource {
    /// Asks by a function.
    pub fn new(ask: impl Fn() -> AskedPassword + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(super) async fn ask(&self) -> Result<Secret, String> {
        (self.0)().await
    }
}

impl fmt::Debug for PasswordSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordSource")
    }
}
