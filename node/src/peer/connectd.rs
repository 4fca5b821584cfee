//! The I/O tasks of peers: sockets, and the encrypted transport of BOLT 8 (`connectd/`).

use super::tap::{Gate, Passed};
use crate::connections::ConnectionSource;
use crate::host::{Way, WireTap};
use crate::input::{ConnectionId, Input, PeerInput};
use crate::mailbox::Mailbox;
use crate::strerror::strerror;
use bitcoin::secp256k1::{PublicKey, SecretKey};
use leyden_bolt::{Event, Noise};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// The node's key and the source of a key for each connection.
#[derive(Clone)]
pub(crate) struct TransportKeys {
    pub(crate) node: SecretKey,
    /// The seed of the ephemeral keys of this listener or this dial.
    pub(crate) seed: [u8; 32],
}

impl TransportKeys {
    /// The ephemeral key of connection `id`.
    fn ephemeral(&self, id: ConnectionId) -> SecretKey {
        use bitcoin::hashes::{Hash, sha256};
        let mut digest = sha256::Hash::hash(&[&self.seed[..], &id.0.to_be_bytes()].concat()).to_byte_array();
        loop {
            match SecretKey::from_slice(&digest) {
                Ok(key) => return key,
                // One in 2^128 digests is no key.
                Err(_) => digest = sha256::Hash::hash(&digest).to_byte_array(),
            }
        }
    }
}

/// Takes peers until it is dropped.
pub(crate) async fn accept(
    listener: TcpListener,
    keys: TransportKeys,
    tap: Option<Arc<dyn WireTap>>,
    peers: ConnectionSource<Vec<u8>>,
    mailbox: Mailbox,
) {
    while let Ok((stream, address)) = listener.accept().await {
        let id = peers.reserve();
        let noise = Noise::responder(&keys.node, keys.ephemeral(id));
        let (to_peer, to_write) = mpsc::unbounded_channel();
        peers.open(id, to_peer);
        let origin = Origin { id, address, incoming: true };
        peers.spawn(drive(Link::new(origin, noise, tap.clone(), mailbox.clone()), stream, to_write));
    }
}

/// Connects to a peer.
pub(crate) async fn dial(
    id: ConnectionId,
    keys: TransportKeys,
    peer: PublicKey,
    address: SocketAddr,
    tap: Option<Arc<dyn WireTap>>,
    peers: ConnectionSource<Vec<u8>>,
    mailbox: Mailbox,
) {
    let (to_peer, to_write) = mpsc::unbounded_channel();
    peers.open(id, to_peer);
    match TcpStream::connect(address).await {
        Ok(stream) => {
            let noise = Noise::initiator(&keys.node, keys.ephemeral(id), peer);
            let origin = Origin { id, address, incoming: false };
            drive(Link::new(origin, noise, tap, mailbox), stream, to_write).await;
        }
        Err(error) => {
            let why = format!("{address}: Connection establishment: {}. ", strerror(&error));
            mailbox.send(Input::Peer(id, PeerInput::Failed(why)));
        }
    }
}

/// Which connection it is, and from where.
struct Origin {
    id: ConnectionId,
    address: SocketAddr,
    incoming: bool,
}

struct Link {
    origin: Origin,
    noise: Noise,
    mailbox: Mailbox,
    /// Who it is, once that is known.
    peer: Option<PublicKey>,
    from_peer: Gate,
    to_peer: Gate,
}

/// Moves bytes until either side has had enough. Everything that the core sent before it let go is written.
async fn drive(mut link: Link, mut stream: TcpStream, mut to_write: mpsc::UnboundedReceiver<Vec<u8>>) {
    // Messages are small and answered at once.
    drop(stream.set_nodelay(true));
    let mut chunk = vec![0; 16 * 1024];
    let why = loop {
        let output = link.noise.take_output();
        if !output.is_empty() && stream.write_all(&output).await.is_err() {
            break "peer closed connection".to_owned();
        }
        let moved = tokio::select! {
            read = stream.read(&mut chunk), if link.from_peer.is_open() => match read {
                Ok(0) | Err(_) => break "peer closed connection".to_owned(),
                Ok(length) => {
                    link.noise.receive(&chunk[..length]);
                    link.events()
                }
            },
            message = to_write.recv(), if link.peer.is_some() && link.to_peer.is_open() => match message {
                Some(message) => link.send(message, &mut to_write),
                None => break "closed by us".to_owned(),
            },
            passed = link.from_peer.released() => link.told(passed).and_then(|()| link.events()),
            passed = link.to_peer.released() => link.write(passed),
        };
        if let Err(why) = moved {
            break why;
        }
    };
    // What was encrypted last must go out as well: a warning, say. The peer may be gone already.
    drop(stream.write_all(&link.noise.take_output()).await);
    let last = match link.peer {
        Some(_) => PeerInput::Closed,
        None => PeerInput::Failed(format!("{}: Cryptographic handshake: {why}. ", link.origin.address)),
    };
    link.mailbox.send(Input::Peer(link.origin.id, last));
}

impl Link {
    fn new(origin: Origin, noise: Noise, tap: Option<Arc<dyn WireTap>>, mailbox: Mailbox) -> Self {
        let (from_peer, to_peer) = (Gate::new(Way::In, tap.clone()), Gate::new(Way::Out, tap));
        Self { origin, noise, mailbox, peer: None, from_peer, to_peer }
    }

    /// Hands on what has come, up to a message that is held.
    fn events(&mut self) -> Result<(), String> {
        while self.from_peer.is_open() {
            let Some(event) = self.noise.next_event().map_err(|error| error.to_string())? else { break };
            match (event, self.peer) {
                (Event::Connected { node_id }, _) => {
                    self.peer = Some(node_id);
                    let Origin { address, incoming, .. } = self.origin;
                    self.tell(PeerInput::Connected { id: node_id, address, incoming });
                }
                (Event::Message(message), Some(peer)) => {
                    let passed = self.from_peer.pass(peer, message);
                    self.told(passed)?;
                }
                (Event::Message(_), None) => return Err("a message before the handshake".to_owned()),
            }
        }
        Ok(())
    }

    fn told(&mut self, Passed { messages, cut }: Passed) -> Result<(), String> {
        for message in messages {
            self.tell(PeerInput::Message(message));
        }
        if cut { Err("cut".to_owned()) } else { Ok(()) }
    }

    fn tell(&self, input: PeerInput) {
        self.mailbox.send(Input::Peer(self.origin.id, input));
    }

    /// Encrypts a message and those that the core has sent since: they go out at once, and wake the peer once.
    fn send(
        &mut self,
        mut message: Vec<u8>,
        more: &mut mpsc::UnboundedReceiver<Vec<u8>>,
    ) -> Result<(), String> {
        let peer = self.peer.expect("messages are taken from the core once the peer is known");
        loop {
            let passed = self.to_peer.pass(peer, message);
            self.write(passed)?;
            match self.to_peer.is_open().then(|| more.try_recv()) {
                Some(Ok(next)) => message = next,
                _ => return Ok(()),
            }
        }
    }

    fn write(&mut self, Passed { messages, cut }: Passed) -> Result<(), String> {
        for message in messages {
            self.noise.send(&message).map_err(|error| error.to_string())?;
        }
        if cut { Err("cut".to_owned()) } else { Ok(()) }
    }
}
