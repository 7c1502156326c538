//! What can be found, and the codes under which it is reported.

pub mod codes;
