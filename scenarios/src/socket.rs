//! A client of a node's RPC socket that sends its own bytes.

use leyden::env::Settings;
use leyden::{Deadline, Node, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Sends a request as it stands and gives the answer as it comes. lightningd ends an answer with an empty line.
pub(crate) async fn ask(node: &Node, request: &str) -> Result<String> {
    let conversation = async {
        let mut socket = UnixStream::connect(node.rpc_file()).await?;
        socket.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\n\n") {
            if socket.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let doing = format!("{}: an answer to {request}", node.name());
    Deadline::standard(&Settings::from_env()).limit(doing, conversation).await?
}
