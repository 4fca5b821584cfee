//! A test harness for authors of Core Lightning plugins: bitcoind on regtest, Lightning nodes, plugins, transcripts.
//!
//! The lower half, which everything else stands on:
//!
//! | module | what it is for |
//! |---|---|
//! | [`error`] | what a failed test tells its author |
//! | [`env`](mod@env) | the settings, read from the environment once |
//! | [`wait`] | deadlines and [`eventually`]: the only module that may sleep |
//! | [`run_dir`] | the temporary directory of a net |
//! | [`process`] | daemons, and the watchdog that lets none outlive its test: the only module that may spawn |
//! | [`bitcoind`] | bitcoind on regtest: found or fetched, started, mined, reorganised |

pub mod bitcoind;
pub mod env;
pub mod error;
pub mod process;
pub mod run_dir;
pub mod wait;

pub use bitcoind::Bitcoind;
pub use error::{Error, Fault, Result};
pub use wait::{Deadline, eventually, seen};
