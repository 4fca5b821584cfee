//! The Lightning protocol without I/O: bytes and events in, bytes and events out.
//!
//! Nothing here opens a socket, reads a clock or draws randomness. Whoever owns a connection hands in the
//! bytes that arrived and writes the bytes that come out; keys, ephemeral keys and timestamps are arguments.
//!
//! | module | subject | source |
//! |---|---|---|
//! | [`noise`] | the encrypted transport, driven by whoever owns the socket | BOLT 8 |
//! | [`message`] | wire messages: those of every connection, of channels, of gossip; unknown ones byte-exact | BOLT 1, 2, 7 |
//! | [`channel_id`], [`short_channel_id`] | the two names of a channel | BOLT 2, 7 |
//! | [`tlv`], [`integer`] | type-length-value streams and the integers they are made of | BOLT 1 |
//! | [`gossip`] | the graph of channels and nodes, and routes through it | BOLT 7 |
//! | [`features`] | feature bits, their names, and the sets that lightningd offers | BOLT 9 |
//! | [`onion`] | the onion of a payment, its payloads, the one of a failure, onion messages along blinded paths | BOLT 4 |
//! | [`keys`] | node key and wallet addresses, derived from `hsm_secret` as lightningd derives them | hsmd |
//! | [`recovery`] | the secret of a lost node, as people write it down | BIP 39, BIP 93 |
//! | [`channel_keys`] | the keys of one channel, derived from `hsm_secret` as lightningd derives them | hsmd |
//! | [`transaction`] | commitments, HTLC, closing, penalty and sweep transactions, and their signatures | BOLT 3 |
//! | [`channel`] | the state machine of a channel, from opening to closing | BOLT 2 |
//! | [`invoice`] | invoices: signed as lightningd signs them, decoded into what its `decode` prints | BOLT 11 |

pub mod channel;
pub mod channel_id;
pub mod channel_keys;
pub mod features;
pub mod gossip;
mod hkdf;
mod hmac;
pub mod integer;
pub mod invoice;
pub mod keys;
pub mod message;
pub mod noise;
pub mod onion;
pub mod recovery;
pub mod short_channel_id;
pub mod tlv;
pub mod transaction;

pub use channel_id::ChannelId;
pub use channel_keys::{Basepoints, ChannelKeys};
pub use features::{FeatureSet, Features};
pub use invoice::{Invoice, SignedInvoice};
pub use keys::HsmSecret;
pub use message::{Init, Message};
pub use noise::{Event, Noise, NoiseError};
pub use short_channel_id::ShortChannelId;
