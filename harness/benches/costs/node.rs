//! An embedded node without a net around it.

use leyden::Net;
use leyden_node::config::{Bitcoind, Config};
use leyden_node::event::Event;
use leyden_node::{Host, Node};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// What lightningd ends every message with.
const END: &[u8] = b"\n\n";

/// lightningd's default: idle nodes are not kept busy.
const POLL: Duration = Duration::from_secs(30);

/// How to reach a bitcoind.
pub(crate) struct Access {
    pub(crate) port: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Access {
    pub(crate) fn new(port: &str, user: &str, password: &str) -> leyden::Result<Self> {
        let number: Result<u16, _> = port.parse();
        number.map_err(|error| leyden::Error::test(format!("reading the port '{port}'")).because(error))?;
        Ok(Self { port: port.to_owned(), user: user.to_owned(), password: password.to_owned() })
    }

    /// The bitcoind of a net.
    pub(crate) fn of(net: &Net) -> Self {
        let (user, password) = net.bitcoind().credentials();
        let port = net.bitcoind().rpc_port().to_string();
        Self { port, user: user.to_owned(), password: password.to_owned() }
    }

    fn config(&self) -> Bitcoind {
        let port = self.port.parse().expect("`new` has seen that it is a number");
        let rpc = SocketAddr::from(([127, 0, 0, 1], port));
        Bitcoind { rpc, user: self.user.clone(), password: self.password.clone() }
    }
}

/// A node that runs in this process, with a log file as in a net.
pub(crate) struct Running {
    _node: Node,
    socket: PathBuf,
}

/// Starts nodes, one for each directory, and waits until all are up.
pub(crate) fn start(dirs: &[PathBuf], bitcoind: &Access) -> leyden::Result<Vec<Running>> {
    let mut starting = Vec::new();
    for dir in dirs {
        std::fs::create_dir_all(dir)?;
        let mut config = Config::new(dir.clone(), Some(bitcoind.config()));
        config.bitcoind_poll = POLL;
        config.log_files = vec![dir.join("log")];
        let socket = config.network_dir().join("lightning-rpc");
        let (sender, events) = mpsc::channel();
        let host = Host { events: Some(Arc::new(move |event| drop(sender.send(event)))), ..Host::default() };
        starting.push((Running { _node: Node::start(config, host), socket }, events));
    }
    starting.into_iter().map(|(node, events)| is_up(&events).map(|()| node)).collect()
}

fn is_up(events: &mpsc::Receiver<Event>) -> leyden::Result {
    loop {
        match events.recv() {
            Ok(Event::Started { .. }) => return Ok(()),
            Ok(Event::Log(_) | Event::DbWrite { .. }) => {}
            Ok(Event::Exited(exit)) => {
                return Err(leyden::Error::node("starting a node").came(format!("it ended: {exit:?}")));
            }
            Err(_) => return Err(leyden::Error::node("starting a node").came("it ended without a word")),
        }
    }
}

impl Running {
    /// Its RPC socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

/// A connection to an RPC socket that knows one request.
pub(crate) struct Client {
    stream: UnixStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    /// A client that will call `method` without parameters.
    pub(crate) fn connect(socket: &Path, method: &str) -> leyden::Result<Self> {
        let request = format!(r#"{{"jsonrpc":"2.0","id":"bench","method":"{method}","params":{{}}}}"#);
        Ok(Self::over(UnixStream::connect(socket)?, request.into_bytes()))
    }

    /// A client at the end of a socket.
    pub(crate) fn over(stream: UnixStream, request: Vec<u8>) -> Self {
        Self { stream, request, answer: Vec::new() }
    }

    /// Calls and waits for the answer.
    pub(crate) fn call(&mut self) -> leyden::Result {
        self.stream.write_all(&self.request)?;
        read_message(&mut self.stream, &mut self.answer)
    }
}

/// Whether a message is complete.
pub(crate) fn ends(message: &[u8]) -> bool {
    message.ends_with(END)
}

/// Reads one message, up to its empty line.
pub(crate) fn read_message(from: &mut impl Read, message: &mut Vec<u8>) -> leyden::Result {
    message.clear();
    let mut chunk = [0; 16 * 1024];
    while !ends(message) {
        match from.read(&mut chunk)? {
            0 => return Err(leyden::Error::node("reading a message").came("the other end has hung up")),
            length => message.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(())
}
