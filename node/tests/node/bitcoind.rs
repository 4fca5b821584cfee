//! A bitcoind that is not there yet when the node starts.

use crate::chain::Chain;
use crate::running::{DEADLINE, next};
use leyden_node::config::Bitcoind;
use leyden_node::event::{Event, Exit};
use leyden_node::{Config, Host, Node};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// Hangs up on everybody, up to a number of calls; then it is a bitcoind.
struct Late {
    rpc: SocketAddr,
    calls: watch::Receiver<usize>,
}

impl Late {
    async fn after(refusals: usize) -> Self {
        let bitcoind = Chain::new().serve().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rpc = listener.local_addr().unwrap();
        let (count, calls) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                if *count.borrow() > refusals {
                    tokio::spawn(async move {
                        let mut there = TcpStream::connect(bitcoind).await.unwrap();
                        // Either side may hang up.
                        drop(tokio::io::copy_bidirectional(&mut caller, &mut there).await);
                    });
                }
            }
        });
        Self { rpc, calls }
    }

    /// A node that waits for it, and what happens to it.
    fn node(&self, dir: &Path, patience: Duration) -> (Node, mpsc::UnboundedReceiver<Event>) {
        let bitcoind = Bitcoind { rpc: self.rpc, user: "user".to_owned(), password: "password".to_owned() };
        let mut config = Config::new(dir.to_owned(), Some(bitcoind));
        config.bitcoind_patience = patience;
        let (sender, events) = mpsc::unbounded_channel();
        let host = Host { events: Some(Arc::new(move |event| drop(sender.send(event)))), ..Host::default() };
        (Node::start(config, host), events)
    }
}

/// How a node ends, or that it has started.
async fn outcome(events: &mut mpsc::UnboundedReceiver<Event>) -> Result<(), Exit> {
    let told = |event| match event {
        Event::Started { .. } => Some(Ok(())),
        Event::Exited(exit) => Some(Err(exit)),
        Event::Log(_) | Event::DbWrite { .. } => None,
    };
    next(events, told).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bitcoind_that_comes_late_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let late = Late::after(2).await;
    let (_node, mut events) = late.node(dir.path(), DEADLINE);
    assert_eq!(outcome(&mut events).await, Ok(()));
    assert!(*late.calls.borrow() > 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bitcoind_that_does_not_come_ends_the_node_when_it_was_waited_for_long_enough() {
    let dir = tempfile::tempdir().unwrap();
    let never = Late::after(usize::MAX).await;
    let patience = Duration::from_millis(700);
    let begin = Instant::now();
    let (_node, mut events) = never.node(dir.path(), patience);
    let exit = outcome(&mut events).await.unwrap_err();
    assert!(begin.elapsed() >= patience, "it ended after {:?}", begin.elapsed());
    assert_eq!(exit.code, 1);
    let why = exit.message.unwrap_or_default();
    assert!(why.starts_with(&format!("bitcoind at {} did not answer getblockchaininfo", never.rpc)), "{why}");
}
