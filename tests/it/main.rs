//! Integration tests, one binary.

#![allow(clippy::print_stderr, reason = "tables of what was measured")]
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute; here are their helpers, too")]

mod adversarial;
mod applied;
mod architecture;
mod conventions;
mod corpus;
mod deep;
mod docs;
mod dump;
mod examples;
mod execute;
mod fresh;
mod lint;
mod machine;
mod manner;
mod mention;
mod never_wrong;
mod observed;
mod oracle;
mod overlap;
mod plan;
mod properties;
mod proxy;
mod regress;
mod replay;
mod report;
mod resolve;
mod rows;
#[cfg(feature = "serve")]
mod serve;
mod server;
mod settings;
mod stats;
mod support;
mod synthetic;
mod touched;
mod trial;
mod workload;
mod writes;
