//! A peer of a node that says what the test wants it to say.

use crate::running::DEADLINE;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::SecretKey;
use leyden_bolt::{Event, Features, Init, Message, Noise};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Key of a node, by number.
pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_slice(&[number; 32]).expect("a number above 0 is a key")
}

/// A connection to a node, after `init`.
pub(crate) struct Peer {
    socket: TcpStream,
    noise: Noise,
}

impl Peer {
    /// Connects, and offers what gossip needs.
    pub(crate) async fn connect(node: &str, port: u16, number: u8) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("the node takes peers");
        let noise = Noise::initiator(&key(number), key(200), node.parse().expect("a node id"));
        let mut peer = Self { socket, noise };
        peer.flush().await;
        let features = Features::from_bits(&[0, 7, 8, 12, 14, 44]);
        loop {
            match peer.event().await {
                Event::Connected { .. } => {
                    let init = Init::new(Features::new(), features.clone(), &[ChainHash::REGTEST]);
                    peer.send(&Message::Init(init).encode()).await;
                }
                Event::Message(message) => {
                    assert!(matches!(Message::decode(&message), Ok(Message::Init(_))), "init comes first");
                    return peer;
                }
            }
        }
    }

    /// Sends a message: type and payload.
    pub(crate) async fn send(&mut self, message: &[u8]) {
        self.noise.send(message).expect("the handshake is done, and no message is too long");
        self.flush().await;
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Vec<u8> {
        match self.event().await {
            Event::Message(message) => message,
            Event::Connected { .. } => panic!("the handshake is done"),
        }
    }

    /// Every message that the node sends before it answers a ping.
    pub(crate) async fn heard(&mut self) -> Vec<Vec<u8>> {
        self.send(&Message::Ping { num_pong_bytes: 1, ignored: Vec::new() }.encode()).await;
        let mut heard = Vec::new();
        loop {
            let message = self.next().await;
            if matches!(Message::decode(&message), Ok(Message::Pong { .. })) {
                return heard;
            }
            heard.push(message);
        }
    }

    async fn event(&mut self) -> Event {
        let mut chunk = [0; 4096];
        loop {
            if let Some(event) = self.noise.next_event().expect("the node speaks BOLT 8") {
                self.flush().await;
                return event;
            }
            self.flush().await;
            let read = tokio::time::timeout(DEADLINE, self.socket.read(&mut chunk)).await;
            let length = read.expect("the node speaks in time").expect("the node is there");
            assert!(length > 0, "the node hung up");
            self.noise.receive(&chunk[..length]);
        }
    }

    async fn flush(&mut self) {
        let bytes = self.noise.take_output();
        self.socket.write_all(&bytes).await.expect("the node listens");
    }
}
