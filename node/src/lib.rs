//! An embedded, lightningd-compatible node: implements what a plugin can observe.
//!
//! Files carry CLN's names where CLN has the thing, so that a CLN developer finds the line.
//!
//! | module | subject |
//! |---|---|
//! | [`config`] | lightningd's options as values |
//! | [`host`] | what a node needs from the program around it |
//! | [`event`] | what can be heard of a running node |
//! | [`process`] | plugins as child processes |

pub mod config;
pub mod event;
pub mod host;
pub mod process;

pub use config::Config;
pub use host::Host;
