//! The I/O tasks of the RPC socket: one that accepts, one for each client.

use crate::actor::Mailbox;
use crate::connections::ConnectionSource;
use crate::input::{ConnectionId, Input, RpcInput};
use leyden_protocol::FrameReader;
use leyden_protocol::frame::TERMINATOR;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// The path of a Unix socket fits 104 bytes on every system; Linux has room for 108.
const LONGEST_PATH: usize = 104;

/// Binds the socket, over one that an earlier run has left.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return UnixListener::bind(path);
    };
    if path.as_os_str().len() < LONGEST_PATH {
        return UnixListener::bind(path);
    }
    // lightningd binds the bare name, in its working directory: how deep that lies does not matter to it.
    let dir = File::open(dir)?;
    UnixListener::bind(Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_directory_may_lie_deeper_than_the_path_of_a_socket_reaches() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        for _ in 0..2 {
            let listener = bind(&deep.join("lightning-rpc")).unwrap();
            let open = File::open(&deep).unwrap();
            let short = Path::new("/proc/self/fd").join(open.as_raw_fd().to_string());
            let (client, server) =
                tokio::join!(UnixStream::connect(short.join("lightning-rpc")), listener.accept());
            assert!(client.is_ok() && server.is_ok());
        }
    }
}
