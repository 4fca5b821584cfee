//! A running node, from outside.

use crate::actor::{Actor, Mailbox};
use crate::config::Config;
use crate::event::{Event, Exit};
use crate::host::Host;
use crate::input::Input;
use crate::startup;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

/// A node that runs on a thread of its own; its I/O runs on the runtime it was started with.
///
/// Everything else about it is said over its Unix socket and heard through [`Host::events`]. Dropping it
/// kills it.
#[must_use = "a node is killed when it is dropped"]
pub struct Node {
    mailbox: Mailbox,
    killed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    /// Starts a node and returns at once. [`Event::Started`] or [`Event::Exited`] will tell how it went.
    ///
    /// [`Node::kill`], [`Node::join`] and dropping wait for the node's thread, and that for its I/O on
    /// `runtime`: they must not be called where they keep that runtime's only thread.
    pub fn start(config: Config, host: Host, runtime: &tokio::runtime::Handle) -> Self {
        let (sender, inbox) = channel();
        let mailbox = Mailbox::new(sender);
        let killed = Arc::new(AtomicBool::new(false));
        let (own_mailbox, own_killed, runtime) = (mailbox.clone(), Arc::clone(&killed), runtime.clone());
        let run = move || {
            let events = host.events.clone();
            let guard = runtime.enter();
            let exit = match startup::prepare(config, &host) {
                Ok(state) => {
                    let actor = Actor::new(state, host, own_mailbox, inbox, own_killed);
                    actor.run(&runtime)
                }
                Err(message) => Some(Exit { code: 1, message: Some(message) }),
            };
            drop(guard);
            let exit = exit.unwrap_or(Exit { code: Exit::KILLED, message: None });
            if let Some(events) = events {
                // Nobody listens any more.
                drop(events.send(Event::Exited(exit)));
            }
        };
        let thread = std::thread::Builder::new().name("leyden-node".to_owned()).spawn(run);
        Self { mailbox, killed, thread: Some(thread.expect("the system has threads")) }
    }

    /// Says that bitcoind has a new block, so that the node looks now and not at its next poll.
    pub fn poke_chain(&self) {
        self.mailbox.send(Input::PokeChain);
    }

    /// Stops the node dead, as SIGKILL does: nothing further is committed, sent or answered. Returns when
    /// its thread has ended.
    pub fn kill(&mut self) {
        self.killed.store(true, Ordering::SeqCst);
        self.mailbox.send(Input::PokeChain);
        self.join();
    }

    /// Waits until the node has ended by itself. Blocks the thread.
    pub fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the node has been printed already.
            drop(thread.join());
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
