//! The words spoken between lightningd and a plugin.
//!
//! This crate knows what is said, not who says it: no files, processes, clocks or Lightning. The node and
//! the mock plugins meet only as bytes, and both take the words from here.
//!
//! | module | subject |
//! |---|---|
//! | [`frame`] | a byte stream cut into JSON objects, as lightningd does it: by completeness |
//! | [`json`] | members and elements of raw JSON, with the sender's bytes kept |
//! | [`scan`] | members of an object, and lightningd's complaint about the first that is wrong |
//! | [`id`] | request ids of every release, and how the next one is made |
//! | [`message`] | requests, responses and notifications |
//! | [`manifest`] | the answer to `getmanifest`, checked as lightningd checks it |
//! | [`deprecation`] | from which release on something should no longer be used |
//! | [`hook`] | a plugin's registration for a hook |
//! | [`option`] | plugin options: types, values, defaults |
//! | [`init`] | the `init` request |
//! | [`catalogue`] | every hook and notification topic, per release |
//! | [`profile`] | the releases that Leyden speaks |

pub mod catalogue;
pub mod deprecation;
pub mod frame;
pub mod hook;
pub mod id;
pub mod init;
pub mod json;
pub mod manifest;
pub mod message;
pub mod option;
pub mod profile;
pub mod scan;

pub use frame::FrameReader;
pub use id::Id;
pub use manifest::Manifest;
pub use message::Envelope;
pub use profile::{CoinMovementForm, Profile};
