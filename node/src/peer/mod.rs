//! Peers.
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`connectd`] | the I/O tasks: sockets and the encrypted transport | `connectd/` |
//! | [`tap`] | messages that the program around the node holds back or changes | `--dev-disconnect` |
//! | [`session`] | a connection's life | `connectd.c`, `peer_control.c` |
//! | [`control`] | `connect`, `disconnect`, `listpeers`, `ping` | `connect_control.c`, `ping.c` |
//! | [`custommsg`] | messages that only plugins understand | `connect_control.c` |
//! | [`onion_message`] | messages that need no channel and tell no names | `onion_message.c` |

pub(crate) mod connectd;
pub(crate) mod control;
pub(crate) mod custommsg;
pub(crate) mod onion_message;
pub(crate) mod session;
mod tap;

use crate::gossip::TimestampFilter;
use crate::input::ConnectionId;
use crate::jsonrpc::Client;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::{Features, Message};
use onion_message::Allowance;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PeerState {
    /// It is being dialled.
    Dialling,
    /// The transport is up, its `init` is awaited.
    AwaitingInit,
    /// The `peer_connected` hook is being asked.
    InHook,
    /// It is a peer.
    Connected,
}

/// A connection to a peer.
pub(crate) struct Peer {
    pub(crate) id: PublicKey,
    pub(crate) address: SocketAddr,
    pub(crate) incoming: bool,
    pub(crate) state: PeerState,
    pub(crate) features: Features,
    /// Where the peer says that it sees us, if that is a public address.
    pub(crate) remote_addr: Option<SocketAddr>,
    /// The `connect` commands that wait for it.
    pub(crate) connects: Vec<Client>,
    /// The `ping` commands that wait for a `pong`, in order.
    pub(crate) pings: VecDeque<Client>,
    /// Messages that wait because a hook is being asked about this peer.
    pub(crate) gate: VecDeque<Message>,
    /// The custom message that plugins are being asked about.
    pub(crate) in_custommsg: bool,
    /// The onion messages that it may send.
    pub(crate) onion_messages: Allowance,
    /// The gossip that it wants, if it has said so.
    pub(crate) gossip_filter: Option<TimestampFilter>,
}

impl Peer {
    fn new(id: PublicKey, address: SocketAddr, incoming: bool, state: PeerState) -> Self {
        Self {
            id,
            address,
            incoming,
            state,
            features: Features::new(),
            remote_addr: None,
            connects: Vec::new(),
            pings: VecDeque::new(),
            gate: VecDeque::new(),
            in_custommsg: false,
            onion_messages: Allowance::default(),
            gossip_filter: None,
        }
    }

    pub(crate) fn direction(&self) -> &'static str {
        if self.incoming { "in" } else { "out" }
    }
}

/// Every connection, and where to find who is not connected.
#[derive(Default)]
pub(crate) struct Peers {
    next_dial: u64,
    open: BTreeMap<ConnectionId, Peer>,
    /// The last address at which each peer was reached.
    pub(crate) known_addresses: BTreeMap<PublicKey, SocketAddr>,
    /// Whether `sendcustommsg` was used for a type that ends connections where it is not known.
    even_custommsg_sent: bool,
}

impl Peers {
    /// A number for a connection that we make; those that others make start behind 2^32.
    fn dial_id(&mut self) -> ConnectionId {
        self.next_dial += 1;
        ConnectionId(self.next_dial)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Peer> {
        self.open.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Peer> {
        self.open.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Peer)> {
        self.open.iter().map(|(id, peer)| (*id, peer))
    }

    /// The connection to `id` that is at least as far as `state`.
    pub(crate) fn of(&self, id: &PublicKey, state: PeerState) -> Option<ConnectionId> {
        self.iter().find(|(_, peer)| peer.id == *id && peer.state >= state).map(|(found, _)| found)
    }
}
