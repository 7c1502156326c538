//! Somebody else's program as traffic backend.
//!
//! # Protocol, version 1
//!
//! A call is one JSON document ([`protocol::PluginRequest`]), its answer another one ([`protocol::PluginResponse`]):
//!
//! ```json
//! {"protocol":1,"release":"3f9a1c2b77d0","step":"shift-1000","fence":7,"deadline_ms":30000,"op":"set_share","args":{"share":1000}}
//! {"protocol":1,"ok":true,"result":{"share":1000}}
//! {"protocol":1,"ok":false,"error":{"code":"throttled","message":"try later","retryable":true}}
//! ```
//!
//! There are three ways to bring them:
//!
//! * **exec**: the program is started once a call, with the arguments it was configured with and never through a shell. It reads the document from
//!   standard input until end of file, writes one to standard output and exits with 0. What it writes to standard error becomes log lines of the
//!   release. Any other exit code, more than a mebibyte of output, anything but one JSON document, or no exit before the deadline means that the
//!   program is broken; at the deadline it is killed with its whole process group.
//! * **session**: the program is started once and lives as long as the command. It writes `{"protocol":1,"ready":true}` first; then each line that it
//!   reads is a request with an `id`, and each line that it writes an answer with that `id`. A program that ends, or does not answer before the
//!   deadline, is started again for the next call.
//! * **http**: each call is a `POST` to `URL/v1/OPERATION` with the document as its body, signed where a secret is configured.
//!
//! Every operation must be idempotent: after a crash it is called again with the same `release` and `step`. `fence` rises within a release;
//! a program that remembers it, by release, can refuse an executor that lost its lease (`fenced`).
//!
//! | op | args | result |
//! |---|---|---|
//! | `capabilities` | – | [`Capabilities`](super::Capabilities) |
//! | `preflight` | – | `{}` |
//! | `observe` | – | [`ShareSeen`](super::ShareSeen) |
//! | `set_share` | `{"share": basis points}` | [`ShareSet`](super::ShareSet) |
//! | `verify` | `{"share": basis points}` | [`Verified`](super::Verified) |
//! | `health` | `{"side": "blue" or "green"}` | [`Health`](super::Health) |
//! | `drain` | `{"side": "blue" or "green"}` | [`Drain`](super::Drain) |
//! | `finalize` | – | `{}` |

mod asked;
mod exec;
mod http;
pub mod protocol;
mod session;

pub use exec::Exec;
pub(super) use exec::KIND as EXEC;
pub(super) use http::KIND as HTTP;
