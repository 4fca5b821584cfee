//! The I/O tasks of the RPC socket: one that accepts, one for each client.

use crate::actor::Mailbox;
use crate::connections::ConnectionSource;
use crate::input::{ConnectionId, Input, RpcInput};
use leyden_protocol::FrameReader;
use leyden_protocol::frame::TERMINATOR;
use std::io;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// Binds the socket, over one that an earlier run has left.
///
/// # Errors
/// When the path is too long for a Unix socket (about 100 bytes) or cannot be written.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => UnixListener::bind(path),
    }
}

/// Takes clients until it is dropped.
pub(crate) async fn accept(listener: UnixListener, clients: ConnectionSource<String>, mailbox: Mailbox) {
    while let Ok((stream, _)) = listener.accept().await {
        let (to_client, to_write) = mpsc::unbounded_channel();
        let id = clients.reserve();
        clients.open(id, to_client);
        clients.spawn(serve(id, stream, to_write, mailbox.clone()));
    }
}

/// Serves one client. Ends when everything is written and the core has let go of it, or when nobody is
/// there to write to.
async fn serve(
    id: ConnectionId,
    stream: UnixStream,
    mut to_write: mpsc::UnboundedReceiver<String>,
    mailbox: Mailbox,
) {
    let (mut from_client, mut to_client) = stream.into_split();
    let reading = async {
        let mut reader = FrameReader::new();
        let mut chunk = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut chunk).await {
            reader.push(&chunk[..length]);
            loop {
                match reader.next_frame() {
                    Ok(Some(request)) => mailbox.send(Input::Rpc(id, RpcInput::Request(request))),
                    Ok(None) => break,
                    Err(error) => {
                        mailbox.send(Input::Rpc(id, RpcInput::NotJson(error.unread)));
                        // Half-closed: what is sent from now on is not read.
                        return std::future::pending::<()>().await;
                    }
                }
            }
        }
        mailbox.send(Input::Rpc(id, RpcInput::Closed));
        // It may have closed only its own direction: answers still go out.
        std::future::pending::<()>().await;
    };
    let writing = async {
        while let Some(mut text) = to_write.recv().await {
            text.push_str(TERMINATOR);
            if to_client.write_all(text.as_bytes()).await.is_err() {
                break;
            }
        }
    };
    tokio::select! { () = writing => {}, () = reading => {} }
}
