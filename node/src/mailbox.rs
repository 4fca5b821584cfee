//! The way of inputs to the actor.

use crate::input::Input;
use tokio::sync::mpsc;

/// Where inputs are put.
#[derive(Clone)]
pub(crate) struct Mailbox(mpsc::UnboundedSender<Input>);

impl Mailbox {
    pub(crate) fn new(sender: mpsc::UnboundedSender<Input>) -> Self {
        Self(sender)
    }

    pub(crate) fn send(&self, input: Input) {
        // An error means that the node has ended, and that nobody is interested.
        drop(self.0.send(input));
    }
}
