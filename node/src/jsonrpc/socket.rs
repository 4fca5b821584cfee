//! The I/O tasks of the RPC socket: one that accepts, one for each client.

use crate::connections::ConnectionSource;
use crate::input::{ConnectionId, Input, RpcInput};
use crate::mailbox::Mailbox;
use leyden_protocol::frame::TERMINATOR;
use leyden_protocol::{Envelope, FrameReader};
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

/// How many bytes are read at once. Like lightningd, a request may be of any size.
const CHUNK: usize = 64 * 1024;

/// What the client has sent next, if it is complete.
fn next_input(reader: &mut FrameReader) -> Option<RpcInput> {
    match reader.next_frame() {
        Ok(None) => None,
        Ok(Some(text)) if Envelope::parse(&text).is_some_and(|message| message.jsonrpc.is_some()) => {
            Some(RpcInput::Request(text))
        }
        Ok(Some(text)) => Some(RpcInput::Unversioned { text, behind: reader.unread().to_vec() }),
        Err(error) => Some(RpcInput::NotJson(error.unread)),
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
        let mut chunk = Vec::with_capacity(CHUNK);
        while let Ok(1..) = from_client.read_buf(&mut chunk).await {
            reader.push(&chunk);
            chunk.clear();
            while let Some(input) = next_input(&mut reader) {
                let ends = matches!(input, RpcInput::NotJson(_));
                mailbox.send(Input::Rpc(id, input));
                if ends {
                    // Read on, but only to see it hang up.
                    while let Ok(1..) = from_client.read_buf(&mut chunk).await {
                        chunk.clear();
                    }
                    break;
                }
            }
        }
        mailbox.send(Input::Rpc(id, RpcInput::Closed));
        // It may have closed only its own direction: what is answered already still goes out.
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
