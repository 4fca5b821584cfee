//! Tidy: what ARCHITECTURE.md promises about the source, checked on every `cargo test`.
//!
//! Every rule is a function from files to violations, run here over the workspace and, beside its
//! definition, over small inputs that break it. A violation names file and line; the rule says what to do.
//!
//! | module | rules about |
//! |---|---|
//! | [`edges`] | which crate may depend on which |
//! | [`layout`] | files: first line, name, length, place in the module tree; `lib.rs` as a map |
//! | [`calls`] | what code may not do where: statics, waiting, I/O, clocks; `Drop` |
//! | [`words`] | texts of any kind: marks of unfinished work, machines' paths, hosts |
//! | [`documents`] | ARCHITECTURE.md, the shelf of scripts, golden transcripts, workflows |
//!
//! [`workspace`] reads the files, [`tokens`] cuts Rust into tokens.

mod calls;
mod documents;
mod edges;
mod layout;
mod tokens;
mod words;
mod workspace;
