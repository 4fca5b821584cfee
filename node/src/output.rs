//! Everything that a node asks its surroundings to do.
//!
//! Outputs of an input leave the node only after what it changed is committed (the outbox rule).

use crate::chain::bitcoind::{Asker, Question};
use crate::event::{Event, Exit};
use crate::gossip::store::Write;
use crate::host::Launch;
use crate::input::{ConnectionId, PluginId, Step, Timer};
use bitcoin::secp256k1::PublicKey;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Something to do.
#[derive(Debug)]
pub(crate) enum Output {
    /// Run a plugin.
    LaunchPlugin(PluginId, Launch),
    /// Write a frame to a plugin.
    ToPlugin(PluginId, String),
    /// Write a frame to a plugin, and look out for its answer.
    AskPlugin(PluginId, String),
    /// SIGKILL a plugin and close its pipes.
    KillPlugin(PluginId),
    /// Close a plugin's pipes and let go of it.
    ReleasePlugin(PluginId),
    /// Take RPC clients on this socket.
    ListenRpc(PathBuf),
    /// Take no new RPC clients.
    StopListeningRpc,
    /// Write a frame to an RPC client.
    ToClient(ConnectionId, String),
    /// Close a client's connection once everything is written.
    CloseClient(ConnectionId),
    /// Bind the socket for peers.
    ListenPeers(SocketAddr),
    /// Take peers on the bound socket.
    AcceptPeers,
    /// Connect to a peer.
    Dial(ConnectionId, PublicKey, SocketAddr),
    /// Send a message to a peer.
    ToPeer(ConnectionId, Vec<u8>),
    /// Close a peer's connection once everything is written.
    ClosePeer(ConnectionId),
    /// Write to the file `gossip_store`.
    WriteGossipStore(Vec<Write>),
    /// Ask the built-in Bitcoin backend.
    AskBackend(Question, Asker),
    /// Say [`crate::input::Input::Timer`] after this time; a timer of the same name is replaced.
    SetTimer(Timer, Duration),
    /// Forget a timer.
    CancelTimer(Timer),
    /// Tell whoever listens.
    Tell(Event),
    /// Go on with this before any other input.
    Again(Step),
    /// End the node.
    Exit(Exit),
}
