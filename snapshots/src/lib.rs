//! What it looks like: the transcripts of the scenarios, kept as goldens in `tests/snapshots`.
//!
//! Each golden says what it was recorded from: a real lightningd, whose words the embedded node must reproduce. Where it cannot,
//! `differences.toml` says why.
