//! What a tap on the wire decides, done to the messages of one connection.

use crate::host::{Verdict, Way, WireMessage, WireTap};
use bitcoin::secp256k1::PublicKey;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;

/// One way of a connection. Everything passes if there is no tap.
pub(super) struct Gate {
    way: Way,
    tap: Option<Arc<dyn WireTap>>,
    held: Option<(Vec<u8>, Judging)>,
}

/// A verdict that takes its time.
type Judging = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// What comes out of a gate: messages, and then perhaps the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) cut: bool,
}

impl Gate {
    pub(super) fn new(way: Way, tap: Option<Arc<dyn WireTap>>) -> Self {
        Self { way, tap, held: None }
    }

    /// Whether it takes another message: no message is held.
    pub(super) fn is_open(&self) -> bool {
        self.held.is_none()
    }

    /// Takes a message.
    pub(super) fn pass(&mut self, peer: PublicKey, bytes: Vec<u8>) -> Passed {
        let Some(tap) = &self.tap else { return Passed { messages: vec![bytes], cut: false } };
        let message = WireMessage { peer, way: self.way, bytes };
        let verdict = tap.judge(&message);
        self.apply(verdict, message.bytes)
    }

    /// What comes of the held message; never ends while none is held.
    pub(super) async fn released(&mut self) -> Passed {
        let Some((_, verdict)) = &mut self.held else { return pending().await };
        let verdict = verdict.await;
        let (bytes, _) = self.held.take().expect("it was held a line above");
        self.apply(verdict, bytes)
    }

    fn apply(&mut self, verdict: Verdict, bytes: Vec<u8>) -> Passed {
        match verdict {
            Verdict::Pass => Passed { messages: vec![bytes], cut: false },
            Verdict::Drop => Passed::default(),
            Verdict::Replace(messages) => Passed { messages, cut: false },
            Verdict::Cut => Passed { messages: Vec::new(), cut: true },
            Verdict::CutAfter => Passed { messages: vec![bytes], cut: true },
            Verdict::Hold(verdict) => {
                self.held = Some((bytes, verdict));
                Passed::default()
            }
        }
    }
}
