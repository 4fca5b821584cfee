//! A whole node from outside, as a library and as a program: asked over its Unix socket, with a chain in memory.

mod bitcoind;
mod chain;
mod channels;
mod commands;
mod custommsg;
mod db_write;
mod gossip;
mod htlcs;
mod invoices;
mod messages;
mod onion_messages;
mod options;
mod payments;
mod peer;
mod plugins;
mod program;
mod psbts;
mod registration;
mod rumours;
mod running;
mod socket;
mod stage;
mod terms;
mod wallet;
mod wire;
