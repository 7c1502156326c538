//! `cutover lint`: the rules, what stands around them, the formats, the command.

mod corpus;
mod rules;
