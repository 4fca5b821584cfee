//! A client of a node's RPC socket that sends its own bytes.

use leyden::env::Settings;
use leyden::{Deadline, Error, Node, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// lightningd ends everything that it sends with an empty line.
const END: &[u8] = b"\n\n";

/// A connection to a node's RPC socket.
pub struct Client {
    socket: UnixStream,
    received: Vec<u8>,
    deadline: Deadline,
}

impl Client {
    /// Another connection to `node`.
    pub async fn connect(node: &Node) -> Result<Self> {
        let socket = UnixStream::connect(node.rpc_file()).await?;
        Ok(Self { socket, received: Vec::new(), deadline: Deadline::standard(&Settings::from_env()) })
    }

    /// Sends a request as it stands.
    pub async fn send(&mut self, request: &str) -> Result {
        self.send_bytes(request.as_bytes()).await
    }

    /// Sends a part of a request.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result {
        Ok(self.socket.write_all(bytes).await?)
    }

    /// The next answer or notification, as it came.
    pub async fn next(&mut self) -> Result<String> {
        let deadline = self.deadline;
        deadline.limit("waiting for the node's next word on a connection", self.read()).await?
    }

    async fn read(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.received.windows(END.len()).position(|bytes| bytes == END) {
                let word: Vec<u8> = self.received.drain(..end + END.len()).take(end).collect();
                return Ok(String::from_utf8_lossy(&word).into_owned());
            }
            if self.socket.read_buf(&mut self.received).await? == 0 {
                return Err(Error::node("reading from the RPC socket")
                    .expected("an answer")
                    .came("it was closed"));
            }
        }
    }
}
