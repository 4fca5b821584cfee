//! What this crate promises, checked against the BOLTs' test vectors, a real lightningd's outputs, and at random.

mod channel;
mod channel_keys;
mod channel_messages;
mod commitments;
mod features;
mod gossip_graph;
mod gossip_messages;
mod ids;
mod integers;
mod invoice_vectors;
mod invoices;
mod keys;
mod messages;
mod noise;
mod noise_vectors;
mod onion_messages;
mod onions;
mod routes;
mod shachain;
mod tlvs;

use bitcoin::hex::FromHex;

/// Bytes from hex; spaces are for the eye.
fn hex(text: &str) -> Vec<u8> {
    Vec::from_hex(&text.replace(' ', "")).expect("hex")
}
