//! The onion that carries an HTLC's instructions, or a message, to each hop of its route, and the one that carries a failure back (BOLT 4).
//!
//! | module | subject |
//! |---|---|
//! | [`packet`] | making a packet, peeling a layer off |
//! | [`payload`] | what a layer says |
//! | [`legacy`] | the same in the form of old releases |
//! | [`failure`] | failure messages, wrapped by each hop, attributed by the origin |
//! | [`blinding`] | paths whose nodes the sender does not know |
//! | [`message`] | onion messages, which need no channel |
//!
//! Payloads are raw bytes with their length in front, as lightningd's `createonion` takes them and its hook `htlc_accepted`
//! shows them.

pub mod blinding;
pub mod failure;
pub mod legacy;
pub mod message;
pub mod packet;
pub mod payload;
mod secret;

pub use blinding::{BlindedHop, BlindedPath, RecipientData};
pub use failure::{FailureCode, FailureOnion};
pub use message::{MessagePayload, OnionMessage};
pub use packet::{Hop, OnionPacket, Peeled};
pub use payload::Payload;
pub use secret::OnionSecret;
