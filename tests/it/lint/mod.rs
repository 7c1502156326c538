//! `cutover lint`: the rules, what stands around them, the formats, the command.

mod rules;
