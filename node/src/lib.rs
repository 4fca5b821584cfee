//! An embedded, lightningd-compatible node: implements what a plugin can observe.
//!
//! One state actor per node, on a thread of its own: `input` lists everything that can happen to it,
//! `output` everything that it asks its surroundings to do, `state` is the function between them, and
//! `actor` the thread that applies it. I/O tasks move bytes and decide nothing. Files carry CLN's names
//! where CLN has the thing, so that a CLN developer finds the line.
//!
//! | module | subject |
//! |---|---|
//! | [`config`], [`options`] | options as values; the table of them, with what was given and where |
//! | [`host`], [`process`] | what a node needs from the program around it; plugins as child processes |
//! | [`event`], `log` | what can be heard of a running node |
//! | `node` | a running node, from outside |
//! | `startup`, `shutdown`, `crash` | the order of things at either end |
//! | `plugin` | plugins: life, requests, hooks, notifications, the `plugin` command |
//! | `deprecation` | using what is deprecated |
//! | `jsonrpc`, `command` | the JSON-RPC server and the node's own commands |
//! | `peer` | peers, and messages that only plugins understand |
//! | `chain`, `coin_mvts` | the Bitcoin backend, and which blocks are known; the balance |
//! | `channel` | channels, from the first word about them to their end |
//! | `htlc` | HTLCs that come in: forwarded, or paid to the node |
//! | `onchain` | channels that are closed, until nothing of them can be undone |
//! | `payment` | payments that the node makes |
//! | `indexes` | counts of what is created, updated and deleted |
//! | `db` | SQLite and `db_write` |
//! | `gossip` | what is known of the network, and the file in which other programs read it |
//! | `pid_file` | a file that keeps a second node away |
//! | `mailbox`, `connections`, `wait`, [`world`] | connections by number; waiting by the clock; time and chance |
//! | `strerror` | the system's words for its errors |

mod actor;
mod chain;
mod channel;
mod coin_mvts;
mod command;
pub mod config;
mod connections;
mod crash;
mod db;
mod deprecation;
pub mod event;
mod gossip;
pub mod host;
mod htlc;
mod indexes;
mod input;
mod jsonrpc;
mod log;
mod mailbox;
mod node;
mod onchain;
pub mod options;
mod output;
mod payment;
mod peer;
mod pid_file;
mod plugin;
pub mod process;
mod shutdown;
mod startup;
mod state;
mod strerror;
mod wait;
mod wallet;
pub mod world;

pub use config::Config;
pub use host::Host;
pub use node::Node;
