//! A test harness for authors of Core Lightning plugins: bitcoind on regtest, Lightning nodes, plugins, transcripts.
//!
//! ```no_run
//! use leyden::{Mock, Net, Plugin, Reply};
//! use serde_json::json;
//! # const MY_PLUGIN: &str = "my-plugin";
//!
//! #[tokio::test]
//! async fn a_refused_peer_is_not_shown_to_the_next_plugin() -> leyden::Result {
//!     let net = Net::builder().nodes(["l1", "l2"]).plugin("l2", Plugin::exe(MY_PLUGIN).option("limit", 3)).start().await?;
//!     let [l1, l2] = net.nodes();
//!     let refusal = Reply::result(json!({"result": "disconnect"}));
//!     let first = l2.mount_scoped(Mock::hook("peer_connected").before("my-plugin").reply(refusal).expect(1)).await?;
//!     l1.connect(&l2).await?;
//!     first.wait_for("peer_connected", 1).await?;
//!     first.finish().await?;
//!     leyden::assert_transcript!(l2.transcript("my-plugin"));
//!     net.finish().await
//! }
//! ```
//!
//! What an author meets first:
//!
//! | module | what it is for |
//! |---|---|
//! | `builder`, `net`, `finish` | [`Net`]: what it shall be, its life, the checks at its end |
//! | `node`, `life`, `mounting`, `rpc`, `database` | [`Node`]: its RPC, log and database; starts and stops; plugins and mocks on it |
//! | `fundchannel`, `channel`, `payment`, `amount` | channels: opened, waited for, paid through; [`Amount`]s with their unit |
//! | `wire` | messages between an embedded node and its peers: held, lost, changed, cut at |
//! | `crash` | [`Net::crash`]: a node stopped dead at a [`Commit`] or at a call of a [`Hook`] |
//! | `fault` | [`Net::fault`]: a plugin dies, hangs or answers nonsense at a call of a [`Hook`]; the Bitcoin backend fails |
//! | `plugin` | [`Plugin`]: an executable or a script, and its options |
//! | [`transcript`], [`alias`], `layout`, `snapshot` | what a plugin and its node said, as text that is the same in each run |
//! | [`replay`] | what a plugin makes of crashes: payments, a crash at every point of them, one report |
//! | [`backup`], `replica` | what a backup plugin must do about each `db_write`, and the driver that plays it through all that can happen; a copy made of what is shown |
//! | [`event`], [`timeline`], [`jsonl`] | everything that happens in a net, in one order, to be waited on and kept |
//!
//! What that stands on:
//!
//! | module | what it is for |
//! |---|---|
//! | [`backend`] | which lightningd: the embedded node or a real one |
//! | `relay`, `served`, [`tap`] | a plugin's stdio led through the test process and recorded, under any lightningd |
//! | `mock_chain` | [`MockChain`]: a chain in memory in place of bitcoind |
//! | [`bitcoind`] | bitcoind on regtest: found or fetched, started, mined, reorganised |
//! | [`process`] | daemons, and the watchdog that lets none outlive its test: the only module that may spawn |
//! | [`run_dir`], `port` | the temporary directory of a net; ports for programs that cannot choose |
//! | [`mod@env`] | the settings, read from the environment once |
//! | `only_one` | the one element of an answer that must have just one |
//! | [`wait`] | deadlines and [`eventually`]: the only module that may sleep |
//! | [`error`], `last_error` | what a failed test tells its author |

pub mod alias;
mod amount;
pub mod backend;
pub mod backup;
pub mod bitcoind;
mod builder;
mod channel;
mod crash;
mod database;
pub mod env;
pub mod error;
pub mod event;
mod fault;
mod finish;
mod follow;
mod fundchannel;
pub mod jsonl;
mod last_error;
mod layout;
mod life;
mod mock_chain;
mod mounting;
mod net;
mod node;
mod only_one;
mod payment;
mod plugin;
mod port;
pub mod process;
#[cfg(doctest)]
mod readme;
mod relay;
pub mod replay;
mod replica;
mod rpc;
pub mod run_dir;
mod served;
mod snapshot;
pub mod tap;
pub mod timeline;
pub mod transcript;
pub mod wait;
mod wire;

pub use amount::{Amount, Units};
pub use backend::{Backend, Capability};
pub use bitcoind::Bitcoind;
pub use builder::NetBuilder;
pub use crash::{Commit, Crash, CrashPoint, CrashRule, Crashed, Hook};
pub use error::{Error, Fault, Result};
pub use fault::{ChainFault, FaultRule, Faulted, HeldAnswer, PluginFault};
pub use fundchannel::{FundChannel, FundedChannel, JoinNodes};
pub use leyden_mock_plugins::{Call, Match, Mock, MockPlugin, Reply, Respond, matching, mock};
pub use leyden_protocol::Profile;
pub use leyden_protocol::catalogue;
pub use leyden_protocol::deprecation::Deprecated;
pub use leyden_protocol::hook::Filter;
pub use leyden_protocol::manifest::OwnTopic;
pub use leyden_protocol::option::{OptionType, PluginOption};
pub use mock_chain::MockChain;
pub use mounting::MockGuard;
pub use net::Net;
pub use node::Node;
pub use only_one::only_one;
pub use plugin::Plugin;
pub use replay::Replay;
pub use replica::Replica;
pub use transcript::Transcript;
pub use wait::{Deadline, eventually, seen};
pub use wire::{Held, Struck, WireRule};

/// The typed requests of lightningd's RPC, for [`Node::call`].
pub use cln_rpc;

/// What the macros need in the author's crate.
#[doc(hidden)]
pub mod __private {
    pub use insta;
}
