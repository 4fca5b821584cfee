//! The I/O tasks of peers: sockets, and the encrypted transport of BOLT 8 (`connectd/`).

use crate::connections::ConnectionSource;
use crate::input::{ConnectionId, Input, PeerInput};
use crate::mailbox::Mailbox;
use crate::strerror::strerror;
use bitcoin::secp256k1::{PublicKey, SecretKey};
use leyden_bolt::{Event, Noise};
use std::net::SocketAddr;
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
    peers: ConnectionSource<Vec<u8>>,
    mailbox: Mailbox,
) {
    while let Ok((stream, address)) = listener.accept().await {
        let id = peers.reserve();
        let noise = Noise::responder(&keys.node, keys.ephemeral(id));
        let (to_peer, to_write) = mpsc::unbounded_channel();
        peers.open(id, to_peer);
        peers.spawn(drive(
            Link { id, address, incoming: true, noise, mailbox: mailbox.clone() },
            stream,
            to_write,
        ));
    }
}

/// Connects to a peer.
pub(crate) async fn dial(
    id: ConnectionId,
    keys: TransportKeys,
    peer: PublicKey,
    address: SocketAddr,
    peers: ConnectionSource<Vec<u8>>,
    mailbox: Mailbox,
) {
    let (to_peer, to_write) = mpsc::unbounded_channel();
    peers.open(id, to_peer);
    match TcpStream::connect(address).await {
        Ok(stream) => {
            let noise = Noise::initiator(&keys.node, keys.ephemeral(id), peer);
            drive(Link { id, address, incoming: false, noise, mailbox }, stream, to_write).await;
        }
        Err(error) => {
            let why = format!("{address}: Connection establishment: {}. ", strerror(&error));
            mailbox.send(Input::Peer(id, PeerInput::Failed(why)));
        }
    }
}

struct Link {
    id: ConnectionId,
    address: SocketAddr,
    incoming: bool,
    noise: Noise,
    mailbox: Mailbox,
}

/// Moves bytes until either side has had enough. Everything that the core sent before it let go is written.
async fn drive(mut link: Link, mut stream: TcpStream, mut to_write: mpsc::UnboundedReceiver<Vec<u8>>) {
    // Messages are small and answered at once.
    drop(stream.set_nodelay(true));
    let mut chunk = vec![0; 16 * 1024];
    let mut connected = false;
    let why = loop {
        let output = link.noise.take_output();
        if !output.is_empty() && stream.write_all(&output).await.is_err() {
            break "peer closed connection".to_owned();
        }
        tokio::select! {
            read = stream.read(&mut chunk) => match read {
                Ok(0) | Err(_) => break "peer closed connection".to_owned(),
                Ok(length) => {
                    link.noise.receive(&chunk[..length]);
                    if let Err(why) = link.events(&mut connected) {
                        break why;
                    }
                }
            },
            message = to_write.recv(), if connected => match message {
                Some(message) => if let Err(error) = link.noise.send(&message) {
                    break error.to_string();
                },
                None => break "closed by us".to_owned(),
            },
        }
    };
    // What was encrypted last must go out as well: a warning, say. The peer may be gone already.
    drop(stream.write_all(&link.noise.take_output()).await);
    let last = if connected {
        PeerInput::Closed
    } else {
        PeerInput::Failed(format!("{}: Cryptographic handshake: {why}. ", link.address))
    };
    link.mailbox.send(Input::Peer(link.id, last));
}

impl Link {
    fn events(&mut self, connected: &mut bool) -> Result<(), String> {
        while let Some(event) = self.noise.next_event().map_err(|error| error.to_string())? {
            let input = match event {
                Event::Connected { node_id } => {
                    *connected = true;
                    PeerInput::Connected { id: node_id, address: self.address, incoming: self.incoming }
                }
                Event::Message(message) => PeerInput::Message(message),
            };
            self.mailbox.send(Input::Peer(self.id, input));
        }
        Ok(())
    }
}
