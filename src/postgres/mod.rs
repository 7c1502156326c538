//! A live PostgreSQL: where it is, how to connect to it, and throwaway servers to try things on.

pub mod base;
mod catalog;
mod connect;
mod connect_error;
mod conninfo;
mod environment;
mod handed;
#[doc(hidden)]
pub mod history;
mod introspect;
#[doc(hidden)]
pub mod inventory;
mod message;
#[doc(hidden)]
pub mod observe;
mod passfile;
mod password_source;
pub(crate) mod pooler;
mod secret;
mod service;
mod session;
mod settings;
mod socket;
mod statements;
mod statistics;
#[doc(hidden)]
pub mod survey;
#[doc(hidden)]
pub mod tables;
mod target;
pub mod throwaway;
mod tls;
mod tls_settings;

#[doc(hidden)]
pub use catalog::{Catalog, Touched};
pub use connect::connect;
pub use connect_error::ConnectError;
pub use environment::{Environment, VARIABLES};
pub use introspect::IntrospectError;
pub(crate) use introspect::Introspector;
#[doc(hidden)]
pub use introspect::introspect;
pub use message::ServerError;
pub(crate) use message::server_message;
pub use passfile::PassfileWarning;
pub use password_source::{AskedPassword, PasswordSource};
pub use secret::Secret;
pub(crate) use session::first_row;
pub use session::{Cancel, Session};
pub use statements::{StatementsError, statements};
pub use statistics::{MeasureError, measure};
pub use target::{APPLICATION_NAME, CONNECT_TIMEOUT, Target, TargetError};
pub use tls::TlsFailure;
pub use tls_settings::SslMode;
