//! What the node knows of the network, and what it tells of it (`gossipd/`, and what lightningd and connectd do for it).
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`receive`] | what peers tell: what is believed, kept and passed on | `gossipd/gossmap_manage.c` |
//! | [`funding_output`] | whether an announced channel is on the chain | `lightningd/gossip_control.c` |
//! | [`spent`] | channels that are to be forgotten | `gossipd/gossmap_manage.c` |
//! | [`stream`] | which peer wants to hear what, and what it asks | `connectd/multiplex.c`, `queries.c` |
//! | [`own_channel`], [`announcement`] | what is told of our own channels | `lightningd/channel_gossip.c` |
//! | [`own_node`] | what the node tells of itself | `lightningd/channel_gossip.c` |
//! | [`incoming`] | over which channels this node can be paid | `plugins/topology.c` |
//! | [`local`] | our own channels, for those who look for routes | `common/gossmods_listpeerchannels.c` |
//! | [`store`] | the file `gossip_store` | `gossipd/gossip_store.c` |
//! | [`listing`], [`getroute`] | the commands about it | `plugins/topology.c` |
//! | [`getroutes`] | routes for a payment in parts | `plugins/askrene/` |

mod announcement;
mod funding_output;
pub(crate) mod getroute;
pub(crate) mod getroutes;
pub(crate) mod incoming;
pub(crate) mod listing;
mod local;
mod own_channel;
mod own_node;
mod receive;
mod spent;
pub(crate) mod store;
mod stream;

use crate::event::LogLevel;
use crate::input::ConnectionId;
use crate::output::Output;
use crate::state::State;
use crate::strerror::strerror;
use bitcoin::secp256k1::{All, Secp256k1};
use funding_output::Lookups;
use leyden_bolt::ShortChannelId;
use leyden_bolt::gossip::Graph;
use leyden_bolt::message::gossip::{ChannelAnnouncement, ChannelUpdate, NodeAnnouncement};
use own_channel::OwnChannel;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use store::{Store, load};
pub(crate) use stream::TimestampFilter;

/// What the node knows of the network.
#[derive(Default)]
pub(crate) struct Gossip {
    pub(crate) graph: Graph,
    store: Store,
    secp: Secp256k1<All>,
    /// Announcements whose funding output is not deep enough yet.
    early: BTreeMap<ShortChannelId, Announced>,
    /// Announcements whose funding output is being looked for.
    pending: BTreeMap<ShortChannelId, Announced>,
    lookups: Lookups,
    /// Updates of those, and what nodes say that may be at their ends.
    waiting_updates: Vec<(Option<ConnectionId>, ChannelUpdate)>,
    waiting_nodes: Vec<(Option<ConnectionId>, NodeAnnouncement)>,
    /// Announcements that turned out to be of no channel.
    refused: BTreeSet<ShortChannelId>,
    /// When to look for channels of which nothing was heard, in seconds of Unix time.
    prune_at: Option<u64>,
    /// What was told of our own channels, by their numbers in the database.
    own: BTreeMap<u64, OwnChannel>,
}

/// An announcement that is not believed yet, and who sent it.
struct Announced {
    announcement: ChannelAnnouncement,
    source: Option<ConnectionId>,
}

impl State {
    /// Reads what an earlier run left, and writes it anew, without what does not count any more.
    pub(crate) fn open_gossip_store(&mut self) {
        let path = self.config.gossip_store_path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return self.fatal(&format!("Opening gossip_store file: {}", strerror(&error))),
        };
        let loaded = load(&bytes, self.profile).unwrap_or_else(|why| {
            self.log_gossip(
                LogLevel::Broken,
                &format!("gossip_store is not readable ({why}): moving it away"),
            );
            // Nobody needs it; it is kept for whoever wants to know what happened.
            drop(fs::rename(&path, path.with_extension("corrupt")));
            store::Loaded::default()
        });
        let (live, deleted) = (loaded.live, loaded.deleted);
        self.log_gossip(LogLevel::Debug, &format!("gossip_store: {live} live records, {deleted} deleted"));
        let uuid = loaded.uuid.unwrap_or_else(|| self.entropy.draw());
        let (store, bytes) = Store::of(&loaded.graph, self.profile, &uuid);
        let fresh = path.with_extension("compact");
        let written = fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, &path));
        if let Err(error) = written {
            return self.fatal(&format!("Creating new gossip_store file: {}", strerror(&error)));
        }
        (self.gossip.graph, self.gossip.store) = (loaded.graph, store);
    }

    /// Lets what was noted in the store get to the file, once this input is committed.
    fn flush_gossip_store(&mut self) {
        let writes = self.gossip.store.take_writes();
        if !writes.is_empty() {
            self.out.push(Output::WriteGossipStore(writes));
        }
    }

    /// Logs a line of gossipd.
    fn log_gossip(&mut self, level: LogLevel, text: &str) {
        self.log(level, "gossipd", text);
    }
}
