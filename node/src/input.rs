//! Everything that can happen to a node.
//!
//! The core is a function of these: it does no I/O, reads no clock of its own and waits for nobody. The
//! I/O tasks turn bytes into inputs; [`crate::output`] lists what the core asks them to do.

use crate::chain::bitcoind::{Asker, Question};
use crate::channel::HtlcKey;
use crate::event::Exit;
use bitcoin::secp256k1::PublicKey;
use leyden_protocol::message::RpcError;
use std::net::SocketAddr;
use std::sync::Arc;

/// A plugin, by order of registration. Numbers are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PluginId(pub(crate) u64);

/// A connection to the RPC socket or to a peer. Numbers are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

impl ConnectionId {
    /// The source of the lines about an RPC client in the log.
    pub(crate) fn log_source(self) -> String {
        format!("jsonrpc#{}", self.0)
    }
}

/// Something happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// The node has been started.
    Start,
    /// The next step of something that takes several database transactions.
    Step(Step),
    /// From a plugin.
    Plugin(PluginId, PluginInput),
    /// From a client of the RPC socket.
    Rpc(ConnectionId, RpcInput),
    /// From a peer or the socket on which peers are taken.
    Peer(ConnectionId, PeerInput),
    /// The socket for peers is bound, or why not.
    Listening(Result<SocketAddr, String>),
    /// The built-in Bitcoin backend answered with a result in JSON or an error, or could not reach bitcoind.
    Backend(Question, Asker, Result<Result<String, RpcError>, String>),
    /// bitcoind is said to have a new block.
    PokeChain,
    /// The log files may have been moved away.
    ReopenLogs,
    /// A timer has run out.
    Timer(Timer),
    /// The surroundings failed in a way that ends the node.
    Failed(Exit),
}

impl Input {
    /// Whether a node that has been told to stop minds it still: only plugins and RPC clients are served then, its timers stand
    /// still, and peers and the chain are not heard (`plugin.c:shutdown_plugins`).
    pub(crate) fn is_heard_at_the_end(&self) -> bool {
        matches!(
            self,
            Self::Plugin(..)
                | Self::Rpc(..)
                | Self::Timer(Timer::Shutdown)
                | Self::ReopenLogs
                | Self::Failed(_)
        )
    }
}

/// From a plugin.
#[derive(Debug)]
pub(crate) enum PluginInput {
    /// It runs, with this process id if it has one; or `exec` failed with this.
    Launched(Result<Option<u32>, String>),
    /// It wrote this to its standard output.
    Bytes(Vec<u8>),
    /// One JSON value that it wrote.
    Frame {
        /// The value.
        frame: String,
        /// Everything that was unread when the first of its batch was cut off.
        unread: Arc<str>,
        /// Where it begins there: lightningd quotes all from there on.
        start: usize,
    },
    /// It wrote so many of them at once that others must have their turn.
    Many(usize),
    /// It wrote what cannot be JSON.
    NotJson(String),
    /// It closed its standard output.
    Closed,
}

/// From a client of the RPC socket.
#[derive(Debug)]
pub(crate) enum RpcInput {
    /// One JSON object with a member `jsonrpc`.
    Request(String),
    /// One JSON value without.
    Unversioned {
        /// The value.
        text: String,
        /// Everything that had arrived behind it: lightningd quotes that, too.
        behind: Vec<u8>,
    },
    /// Bytes that cannot be JSON.
    NotJson(Vec<u8>),
    /// The client hung up.
    Closed,
}

/// From a peer.
#[derive(Debug)]
pub(crate) enum PeerInput {
    /// The BOLT 8 handshake is done.
    Connected {
        /// Who it is.
        id: PublicKey,
        /// Where it is.
        address: SocketAddr,
        /// Whether it came to us.
        incoming: bool,
    },
    /// The outgoing connection, or its handshake, failed.
    Failed(String),
    /// A decrypted message.
    Message(Vec<u8>),
    /// The connection is gone.
    Closed,
}

/// What the core wants to go on with after the current transaction is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// `--help`: every manifest is in.
    Usage,
    /// The n-th step of creating or opening the database.
    Database(usize),
    /// The tables are there: look for invoices whose time is over.
    LoadInvoices,
    /// Note whose database it is.
    RecordIdentity,
    /// The database is open: ask the Bitcoin backend.
    SetupTopology,
    /// The first block is noted: what else is to be noted with it.
    FirstBlock,
    /// All blocks are there: forget outputs that were spent long ago.
    PruneOutputs,
    /// The first block is known: take RPC clients and initialise plugins.
    InitPlugins,
}

/// A timer of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Ask the Bitcoin backend for the next block.
    PollChain,
    /// Ask it to estimate fees.
    PollFees,
    /// Ask it whether bitcoind has caught up.
    PollSync,
    /// Ask it whether bitcoind has its lost blocks back.
    AwaitBlocks,
    /// The n-th `waitblockheight` has waited long enough.
    WaitBlockHeight(u64),
    /// A plugin has had its time to answer `getmanifest` or `init`.
    PluginStartup(PluginId),
    /// A plugin has had its time to exit after `shutdown`.
    PluginStop(PluginId),
    /// All plugins have had their time to exit.
    Shutdown,
    /// An unpaid invoice may have expired.
    ExpireInvoices,
    /// Dial a peer with channels again.
    Reconnect(PublicKey),
    /// The connection of a channel, by its number in the database, has lasted.
    StableChannel(u64),
    /// An HTLC that was offered should be in a commitment.
    OfferedHtlc(HtlcKey),
    /// The n-th `close` has waited long enough.
    CloseChannel(u64),
    /// Somebody has waited for any invoice to be paid; by number.
    WaitAnyInvoice(u64),
    /// The other parts of a payment have had their time to come; by number.
    HtlcSet(u64),
    /// Somebody has waited for a part of a payment; by number.
    WaitSendpay(u64),
    /// A `dev slowcmd` has taken long enough; by number.
    SlowCommand(u64),
}
