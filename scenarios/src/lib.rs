//! What must happen between lightningd and plugins: scenarios that every backend plays alike.
//!
//! A [`Scenario`] is a net, a body that drives it and asserts, and the plugins whose transcripts are goldens. [`SCENARIOS`](scenarios)
//! is the list of all; [`every_scenario!`] makes a test of each.
//!
//! ```no_run
//! # async fn test() -> leyden::Result {
//! let scenario = leyden_scenarios::scenario("peer_refused");
//! let played = scenario.play(leyden::Backend::Embedded).await?;
//! for golden in played.goldens {
//!     let said = golden.transcript.to_string();
//!     # drop(said);
//! }
//! # Ok(()) }
//! ```
//!
//! | module | subject |
//! |---|---|
//! | [`scenario`](mod@scenario) | what a scenario is, and how it is played |
//! | `table` | the list |
//! | `checked`, `schemas` | what nodes said, held against our catalogue and CLN's published schemas |
//! | `heard`, `socket` | waiting for what a plugin is told; a client that sends its own bytes |
//! | `options`, `setconfig`, `init` | the values of options, and how they are listed; changing them; what `init` tells |
//! | `manifest`, `lifecycle`, `directories` | what a plugin declares; how it comes and goes; where it is found |
//! | `hooks` | what all hooks have in common: order, chains, deaths, fatal answers |
//! | `answers` | the answers of many methods |
//! | `pass_through`, `rpc_command` | a plugin's methods; plugins in the way of a command |
//! | `rpc_socket`, `rpc_methods` | requests, callers, `check`, `filter`; ids, deprecated methods |
//! | `peers`, `custommsg` | who is connected; messages that only plugins understand |
//! | `onion_messages` | messages that come over several nodes, or get lost on the way |
//! | `backend`, `fees` | plugins that are the Bitcoin backend; what they make of fees |
//! | `chain`, `logs`, `topics` | new blocks; what is logged; notifications among plugins |
//! | `invoices` | invoices that are made, or signed for somebody else |
//! | `paying` | routes that are given, ready onions, ways that the node finds |
//! | `channels`, `opening` | channels that are opened and closed by both sides; other ways to open them |
//! | `payments`, `deadlines` | HTLCs and what becomes of them; channels that are closed for their sake |
//! | `htlc_accepted`, `invoice_payment`, `forwards` | what plugins do about HTLCs and payments; passing HTLCs on |
//! | `reconnect`, `restarts` | peers that come back to their channels; nodes that are killed in the midst of something |
//! | `revocation`, `onchain` | revoked commitments and their penalty; channels that end on the chain |
//! | `crash` | nodes that are stopped dead at a chosen point |
//! | `raised_fees` | what a node pays to get into a block in time |
//! | `faults`, `plugin_faults` | plugins that die or talk nonsense, by themselves or on demand |
//! | `shelf` | the mocks that come as scripts |
//! | `releases` | lightningd as it was |
//! | `db_write` | plugins that keep a copy of the node's database |
//! | `wrong_node` | nodes with the database of a wrong one, for the tests that have to find it |

mod answers;
mod backend;
mod chain;
mod channels;
mod checked;
mod crash;
mod custommsg;
mod db_write;
mod deadlines;
mod directories;
mod faults;
mod fees;
mod forwards;
mod gossip;
mod heard;
mod hooks;
mod htlc_accepted;
mod init;
mod invoice_payment;
mod invoices;
mod lifecycle;
mod logs;
mod manifest;
mod onchain;
mod onion_messages;
mod opening;
mod options;
mod pass_through;
mod paying;
mod payments;
mod peers;
mod plugin_faults;
mod raised_fees;
mod reconnect;
mod recovery;
mod releases;
mod restarts;
mod revocation;
mod rpc_command;
mod rpc_methods;
mod rpc_socket;
pub mod scenario;
mod schemas;
mod setconfig;
mod shelf;
mod socket;
mod table;
mod topics;
mod wallet;
mod wrong_node;

pub use checked::Checked;
pub use scenario::{Golden, Played, Said, Scenario};
pub use schemas::{Schemas, Subject};
pub use socket::Client;
pub use table::{scenario, scenarios};
pub use wrong_node::Wrong;
