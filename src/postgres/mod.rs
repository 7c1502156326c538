//! A live PostgreSQL: where it is, how to connect to it, and throwaway servers to try things on.

mod connect;
mod connect_error;
mod conninfo;
mod environment;
mod handed;
pub mod history;
mod introspect;
pub mod inventory;
mod message;
pub mod observe;
mod passfile;
mod secret;
mod session;
mod settings;
mod socket;
mod statements;
mod statistics;
mod target;
pub mod throwaway;
mod tls;
mod tls_settings;

pub use connect::connect;
pub use connect_error::ConnectError;
pub use environment::{Environment, VARIABLES};
pub(crate) use introspect::Introspector;
pub use introspect::{IntrospectError, introspect};
pub use message::server_message;
pub use passfile::PassfileWarning;
pub use secret::Secret;
pub use session::{Cancel, Session};
pub use statements::{StatementsError, statements};
pub use statistics::{MeasureError, measure};
pub use target::{APPLICATION_NAME, CONNECT_TIMEOUT, Target, TargetError};
pub use tls::TlsFailure;
pub use tls_settings::SslMode;
