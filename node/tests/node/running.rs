//! A node that runs, and a client of its Unix socket.

use crate::chain::Chain;
use crate::peer::Peer;
use crate::wire::Wire;
use leyden_node::config::Bitcoind;
use leyden_node::event::{Event, Exit};
use leyden_node::host::WireTap;
use leyden_node::{Config, Host, Node};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

/// Nothing here takes that long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// When the node's clock stands still, in seconds since 1970.
pub(crate) const NOW: u64 = 1_795_260_000;

/// The mnemonic in `hsm_secret` of the first node of a test is eleven times `abandon` and `about`.
const FIRST: u8 = 0;

/// A node and a connection to it.
pub(crate) struct RunningNode {
    /// The node id, as the node itself says it.
    pub(crate) id: String,
    /// Of its secret.
    number: u8,
    pub(crate) port: u16,
    /// The chain that it follows.
    pub(crate) chain: Chain,
    clock: Arc<Mutex<u64>>,
    /// Between it and its peers.
    pub(crate) wire: Arc<Wire>,
    client: Client,
    events: mpsc::UnboundedReceiver<Event>,
    // In this order: the node goes before its directory.
    node: Node,
    dir: TempDir,
}

impl RunningNode {
    /// A new node.
    pub(crate) async fn start() -> Self {
        Self::start_on(Chain::new()).await
    }

    /// A new node on a chain.
    pub(crate) async fn start_on(chain: Chain) -> Self {
        Self::start_numbered(FIRST, chain).await
    }

    /// Another node on a chain, with a secret of its own for each number above 0.
    pub(crate) async fn start_numbered(number: u8, chain: Chain) -> Self {
        let dir = tempfile::tempdir().expect("there is room for a directory");
        let network_dir = dir.path().join("regtest");
        std::fs::create_dir(&network_dir).expect("the directory is new");
        let secret = leyden_bolt::HsmSecret::new_file(&[number; 16]);
        std::fs::write(network_dir.join("hsm_secret"), secret).expect("the directory is ours");
        Self::start_in(dir, chain, number).await
    }

    /// The node again, after `stop`.
    pub(crate) async fn restart(self) -> Self {
        let Self { dir, chain, number, .. } = self;
        Self::start_in(dir, chain, number).await
    }

    async fn start_in(dir: TempDir, chain: Chain, number: u8) -> Self {
        let config = config(dir.path(), &chain).await;
        let socket = config.network_dir().join("lightning-rpc");
        let (sender, mut events) = mpsc::unbounded_channel();
        let clock = Arc::new(Mutex::new(NOW));
        let told = Arc::clone(&clock);
        let wire = Arc::<Wire>::default();
        let host = Host {
            events: Some(Arc::new(move |event| drop(sender.send(event)))),
            clock: Arc::new(move || seconds(*told.lock().expect("nobody panics with the clock"))),
            seed: Some([number + 7; 32]),
            wire: Some(Arc::clone(&wire) as Arc<dyn WireTap>),
            ..Host::default()
        };
        let node = Node::start(config, host);
        let started = next(&mut events, |event| match event {
            Event::Started { id, port } => Some((id, port)),
            Event::Exited(exit) => panic!("the node did not start: {exit:?}"),
            Event::Log(_) | Event::DbWrite { .. } => None,
        });
        let (id, port) = started.await;
        let client = Client::connect(&socket).await;
        Self { id, number, port, chain, clock, wire, client, events, node, dir }
    }

    /// Another connection to the node.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&self.dir.path().join("regtest/lightning-rpc")).await
    }

    /// A peer that speaks for itself, with the key of this number.
    pub(crate) async fn peer(&self, number: u8) -> Peer {
        Peer::connect(&self.id, self.port, number).await
    }

    /// The file in which the node keeps gossip.
    pub(crate) fn gossip_store(&self) -> Vec<u8> {
        std::fs::read(self.dir.path().join("regtest/gossip_store")).expect("a node has a store")
    }

    /// Tells the node to look at its chain.
    pub(crate) fn poke_chain(&self) {
        self.node.poke_chain();
    }

    /// Lets the node's clock jump ahead.
    pub(crate) fn pass(&self, seconds: u64) {
        *self.clock.lock().expect("nobody panics with the clock") += seconds;
    }

    /// The result of a request.
    pub(crate) async fn ok(&mut self, method: &str, params: Value) -> Value {
        let mut reply = self.call(method, &params).await;
        assert!(reply.get("error").is_none(), "{method} {params}: {reply}");
        reply["result"].take()
    }

    /// Code and message of the error of a request.
    pub(crate) async fn error(&mut self, method: &str, params: Value) -> (i64, String) {
        let reply = self.call(method, &params).await;
        let error = &reply["error"];
        let code = error["code"].as_i64().unwrap_or_else(|| panic!("{method} {params}: {reply}"));
        (code, error["message"].as_str().unwrap_or_default().to_owned())
    }

    /// The data of the error of a request.
    pub(crate) async fn error_data(&mut self, method: &str, params: Value) -> Value {
        self.call(method, &params).await["error"]["data"].take()
    }

    async fn call(&mut self, method: &str, params: &Value) -> Value {
        self.client.call(method, params).await
    }

    /// Waits until the node has seen the tip.
    pub(crate) async fn follow(&mut self) {
        self.poke_chain();
        let height = self.chain.height();
        self.ok("waitblockheight", json!([height])).await;
    }

    /// Waits for a line of the log, and until everything that came with it is done: timers are set after lines are written.
    pub(crate) async fn log_has(&mut self, text: &str) {
        let found = next(&mut self.events, |event| match event {
            Event::Log(line) => line.text.contains(text).then_some(()),
            _ => None,
        });
        found.await;
        self.ok("getinfo", json!({})).await;
    }

    /// Stops the node, and starts it again.
    pub(crate) async fn stop_and_restart(mut self) -> Self {
        self.ok("stop", json!({})).await;
        self.exit().await;
        self.restart().await
    }

    /// Waits for the end.
    pub(crate) async fn exit(&mut self) -> Exit {
        let exit = next(&mut self.events, |event| match event {
            Event::Exited(exit) => Some(exit),
            _ => None,
        });
        let exit = exit.await;
        self.node.join();
        exit
    }
}

/// A node in this directory that follows this chain, and looks at it when it is told to.
pub(crate) async fn config(dir: &Path, chain: &Chain) -> Config {
    let bitcoind =
        Bitcoind { rpc: chain.serve().await, user: "user".to_owned(), password: "password".to_owned() };
    let mut config = Config::new(dir.to_owned(), Some(bitcoind));
    config.bitcoind_poll = DEADLINE;
    config
}

/// A connection to a node that sends its own bytes.
pub(crate) struct Client {
    socket: UnixStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(path: &Path) -> Self {
        let socket = UnixStream::connect(path).await.expect("a started node takes clients");
        Self { socket, received: Vec::new() }
    }

    /// The response to a request.
    pub(crate) async fn call(&mut self, method: &str, params: &Value) -> Value {
        self.request(method, params).await;
        self.json().await
    }

    /// Sends a request.
    pub(crate) async fn request(&mut self, method: &str, params: &Value) {
        let request = json!({ "jsonrpc": "2.0", "id": "test", "method": method, "params": params });
        self.send(&request.to_string()).await;
    }

    /// Sends bytes as they stand.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).await.expect("the node listens");
    }

    /// The next answer or notification, as it came: everything before an empty line.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            if let Some(end) = self.received.windows(2).position(|bytes| bytes == b"\n\n") {
                let word: Vec<u8> = self.received.drain(..end + 2).take(end).collect();
                return String::from_utf8(word).expect("a node speaks UTF-8");
            }
            let read = tokio::time::timeout(DEADLINE, self.socket.read_buf(&mut self.received)).await;
            let read = read.expect("the node answers in time").expect("the node is there");
            assert!(read > 0, "the node hung up");
        }
    }

    /// The next answer or notification.
    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.next().await).expect("a node speaks JSON")
    }
}

fn seconds(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Waits until something is told that is wanted.
pub(crate) async fn next<T>(
    events: &mut mpsc::UnboundedReceiver<Event>,
    wanted: impl Fn(Event) -> Option<T>,
) -> T {
    let search = async {
        loop {
            let event = events.recv().await.expect("a node tells of its end");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, search).await.expect("the event comes in time")
}
