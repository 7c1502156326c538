//! Connecting, and throwaway servers.

mod connecting;
#[cfg(feature = "embedded")]
mod embedded;
mod encrypted;
mod throwaway;
