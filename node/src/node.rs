//! A running node, from outside.

use crate::actor::Actor;
use crate::config::Config;
use crate::event::{Event, Exit};
use crate::host::{Host, KillSwitch};
use crate::input::Input;
use crate::mailbox::Mailbox;
use crate::startup;
use std::thread::JoinHandle;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

/// A node that runs on a thread of its own, with all of its I/O.
///
/// Everything else about it is said over its Unix socket and heard through [`Host::events`]. Dropping it
/// kills it.
#[must_use = "a node is killed when it is dropped"]
pub struct Node {
    mailbox: Mailbox,
    switch: KillSwitch,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    /// Starts a node and returns at once. [`Event::Started`] or [`Event::Exited`] will tell how it went.
    pub fn start(config: Config, host: Host) -> Self {
        let (sender, inbox) = mpsc::unbounded_channel();
        let mailbox = Mailbox::new(sender);
        let switch = KillSwitch::new(mailbox.clone());
        if let Some(crash) = &host.crash {
            crash.begins(switch.clone());
        }
        let (own_mailbox, own_switch) = (mailbox.clone(), switch.clone());
        let run = move || {
            let events = host.events.clone();
            let live = || {
                let runtime = Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|error| format!("Starting its I/O: {error}"))?;
                let state = startup::prepare(config, &host)?;
                // A task of its own: what `block_on` itself runs has the system asked for news at each turn.
                let actor = async { Actor::new(state, host, own_mailbox, inbox, own_switch).run().await };
                let ended = runtime.block_on(async { tokio::spawn(actor).await });
                ended.map_err(|error| format!("The node has a bug: {error}"))
            };
            let exit = live().unwrap_or_else(|message| Some(Exit { code: 1, message: Some(message) }));
            if let Some(events) = events {
                events(Event::Exited(exit.unwrap_or(Exit { code: Exit::KILLED, message: None })));
            }
        };
        let thread = std::thread::Builder::new().name("leyden-node".to_owned()).spawn(run);
        Self { mailbox, switch, thread: Some(thread.expect("the system has threads")) }
    }

    /// Says that bitcoind has a new block, so that the node looks now and not at its next poll.
    pub fn poke_chain(&self) {
        self.mailbox.send(Input::PokeChain);
    }

    /// Says that log files may have been moved away: the node closes them, and opens or makes those of these names.
    pub fn reopen_logs(&self) {
        self.mailbox.send(Input::ReopenLogs);
    }

    /// Stops the node dead, as SIGKILL does: nothing further is committed, sent or answered. Returns when
    /// its thread has ended.
    pub fn kill(&mut self) {
        self.switch.kill();
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
