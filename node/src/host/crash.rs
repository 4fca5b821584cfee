//! Crash points: the program around a node is asked at each commit whether the node stops dead there, and can stop it dead at any moment.

use crate::input::Input;
use crate::mailbox::Mailbox;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// On which side of a commit a node stops dead. Everything that earlier commits have released has left it then, at each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Plugins with the hook `db_write` have agreed; nothing of the transaction is in the database.
    Before,
    /// The transaction is in the database; nothing that it released has left.
    After,
    /// All that it released has been written to the sockets and pipes that it was for.
    AfterSend,
}

/// Says where a node stops dead.
pub trait CrashTap: Send + Sync {
    /// A node begins to run. It can be stopped with the switch, at any moment and from any thread.
    fn begins(&self, switch: KillSwitch);

    /// A transaction is about to be committed, and `db_write` is through with it. Whether the node stops dead there, and on which side.
    /// Is asked on the node's thread; must not block.
    fn commits(&self, data_version: u32) -> Option<Phase>;
}

/// Stops a node dead, as SIGKILL does: nothing further is committed, sent or answered.
#[derive(Clone)]
pub struct KillSwitch {
    state: Arc<AtomicU8>,
    mailbox: Mailbox,
}

const LIVES: u8 = 0;
const CRASHES: u8 = 1;
const KILLED: u8 = 2;

impl KillSwitch {
    pub(crate) fn new(mailbox: Mailbox) -> Self {
        Self { state: Arc::new(AtomicU8::new(LIVES)), mailbox }
    }

    /// It takes no further input, and ends when what it has released has been written. Returns at once.
    pub fn crash(&self) {
        self.turn(CRASHES);
    }

    /// It ends in the middle of whatever it writes. Returns at once.
    pub(crate) fn kill(&self) {
        self.turn(KILLED);
    }

    fn turn(&self, to: u8) {
        self.state.fetch_max(to, Ordering::SeqCst);
        // Any input wakes it.
        self.mailbox.send(Input::PokeChain);
    }

    /// How the node is to end now, if it is.
    pub(crate) fn turned(&self) -> Option<Death> {
        match self.state.load(Ordering::SeqCst) {
            LIVES => None,
            CRASHES => Some(Death::Crashed),
            _ => Some(Death::Killed),
        }
    }
}

/// How a node is stopped dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// In the middle of what it writes.
    Killed,
    /// At a crash point, when everything that was released has been written.
    Crashed,
}
