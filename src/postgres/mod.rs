//! A live server.

pub mod history;
