//! A tap on the wire: the program around a node sees each message between it and a peer, and may hold it back, change it or end the
//! connection. Tests make disconnects at any message with it, as with lightningd's `--dev-disconnect`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bitcoin::secp256k1::PublicKey;
use leyden_bolt::Message;

/// The way of a message, as the node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the peer.
    In,
    /// To the peer.
    Out,
}

/// A message on its way, decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireMessage {
    /// The other node.
    pub peer: PublicKey,
    /// Which way it goes.
    pub way: Way,
    /// Type and payload.
    pub bytes: Vec<u8>,
}

impl WireMessage {
    /// What the BOLTs call its type, such as `commitment_signed`; `None` if it is unknown here.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        self.bytes.first_chunk().and_then(|msg_type| message_name(u16::from_be_bytes(*msg_type)))
    }
}

/// What the BOLTs call a type of message, such as `commitment_signed`; `None` if it is unknown here.
#[must_use]
pub fn message_name(msg_type: u16) -> Option<&'static str> {
    Message::name_of(msg_type)
}

/// What becomes of a message.
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It is lost.
    Drop,
    /// These go on in its place, each with type and payload.
    Replace(Vec<Vec<u8>>),
    /// It is lost, and the connection ends.
    Cut,
    /// It goes on, and then the connection ends.
    CutAfter,
    /// It waits for another verdict, and everything behind it on its way waits as well.
    Hold(Pin<Box<dyn Future<Output = Verdict> + Send>>),
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "Pass",
            Self::Drop => "Drop",
            Self::Replace(_) => "Replace",
            Self::Cut => "Cut",
            Self::CutAfter => "CutAfter",
            Self::Hold(_) => "Hold",
        })
    }
}

/// Judges messages. It is asked on the tasks that move them, from `init` on.
pub trait WireTap: Send + Sync {
    /// What becomes of this message. It must not block.
    fn judge(&self, message: &WireMessage) -> Verdict;
}
