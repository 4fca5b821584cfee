//! A test harness for authors of Core Lightning plugins: bitcoind on regtest, Lightning nodes, plugins, transcripts.
//!
//! The lower half, which everything else stands on:
//!
//! | module | what it is for |
//! |---|---|
//! | [`error`] | what a failed test tells its author |
//! | [`mod@env`] | the settings, read from the environment once |
//! | [`wait`] | deadlines and [`eventually`]: the only module that may sleep |
//! | [`run_dir`] | the temporary directory of a net |
//! | [`process`] | daemons, and the watchdog that lets none outlive its test: the only module that may spawn |
//! | [`bitcoind`] | bitcoind on regtest: found or fetched, started, mined, reorganised |
//!
//! The recording half, which sees everything and changes nothing:
//!
//! | module | what it is for |
//! |---|---|
//! | [`event`] | what can happen in a net |
//! | [`timeline`] | the one ordered stream of it, and waiting on it |
//! | [`tap`] | the recorder on a plugin's stdio |
//! | [`transcript`] | the view for people and snapshots |
//! | [`alias`] | what is printed in place of ids, hashes, times, directories and ports |
//! | [`jsonl`] | the lossless file beside it |

pub mod alias;
pub mod bitcoind;
pub mod env;
pub mod error;
pub mod event;
pub mod jsonl;
mod layout;
pub mod process;
pub mod run_dir;
mod snapshot;
pub mod tap;
pub mod timeline;
pub mod transcript;
pub mod wait;

pub use bitcoind::Bitcoind;
pub use error::{Error, Fault, Result};
pub use transcript::Transcript;
pub use wait::{Deadline, eventually, seen};

/// What the macros need in the author's crate.
#[doc(hidden)]
pub mod __private {
    pub use insta;
}
