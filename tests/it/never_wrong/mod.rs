//! What the field found the tool to be wrong about, by kind; a server is the judge wherever one can be.

mod beside;
mod paths;
mod refusals;
mod slicing;
mod verdicts;
