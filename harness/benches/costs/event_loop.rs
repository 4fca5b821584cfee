//! A program that only passes messages on: the least that a node could take for them.

use crate::node::{Client, ends};
use crate::process::Pipes;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};

/// A thread with an event loop, a client's socket, and perhaps the pipes of a child.
pub(crate) struct EventLoop {
    pub(crate) client: Client,
    thread: JoinHandle<io::Result<()>>,
}

impl EventLoop {
    /// Starts one that sends back what a client says, after it was at `child` if there is one.
    pub(crate) fn start(request: Vec<u8>, child: Option<Pipes>) -> leyden::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { tokio::spawn(pass_on(theirs, child)).await? })
        };
        let thread = std::thread::Builder::new().name("event-loop".to_owned()).spawn(run)?;
        Ok(Self { client: Client::over(ours, request), thread })
    }

    /// Hangs up and waits for its end.
    pub(crate) fn end(self) -> leyden::Result {
        drop(self.client);
        Ok(self.thread.join().expect("it does not panic")?)
    }
}

async fn pass_on(client: UnixStream, child: Option<Pipes>) -> io::Result<()> {
    client.set_nonblocking(true)?;
    let mut client = tokio::net::UnixStream::from_std(client)?;
    let mut child = match child {
        Some(Pipes { stdin, stdout }) => {
            let stdout = Receiver::from_owned_fd(OwnedFd::from(stdout.into_inner()))?;
            Some((Sender::from_owned_fd(OwnedFd::from(stdin))?, stdout))
        }
        None => None,
    };
    let (mut message, mut chunk) = (Vec::new(), vec![0; 16 * 1024]);
    while read(&mut client, &mut chunk, &mut message).await? {
        if let Some((stdin, stdout)) = &mut child {
            stdin.write_all(&message).await?;
            read(stdout, &mut chunk, &mut message).await?;
        }
        client.write_all(&message).await?;
    }
    Ok(())
}

/// Reads one message; false at the end.
async fn read(
    from: &mut (impl AsyncReadExt + Unpin),
    chunk: &mut [u8],
    message: &mut Vec<u8>,
) -> io::Result<bool> {
    message.clear();
    while !ends(message) {
        match from.read(chunk).await? {
            0 => return Ok(false),
            length => message.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(true)
}
