//! What can go wrong on an encrypted connection, told so that one sees which side said what.

use std::fmt;

/// The piece of the stream that was being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// 50 bytes from the initiator.
    ActOne,
    /// 50 bytes from the responder.
    ActTwo,
    /// 66 bytes from the initiator.
    ActThree,
    /// The sealed length before each message: 18 bytes.
    Length,
    /// A sealed message.
    Body,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ActOne => "act one",
            Self::ActTwo => "act two",
            Self::ActThree => "act three",
            Self::Length => "message length",
            Self::Body => "message body",
        })
    }
}

/// Why a connection cannot go on; BOLT 8 demands that it is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoiseError {
    /// The peer closed the connection inside an act or a message.
    #[error("{part}: expected {expected} bytes, the connection ended after {got}")]
    ShortRead {
        /// What was being read.
        part: Part,
        /// Its length in bytes.
        expected: usize,
        /// How many bytes of it came.
        got: usize,
    },
    /// An act does not begin with the one version there is.
    #[error("{part}: expected handshake version 0, got {got}")]
    BadVersion {
        /// The act.
        part: Part,
        /// Its first byte.
        got: u8,
    },
    /// A key of the peer is not a point on the curve.
    #[error("{part}: expected a compressed public key, got {got}")]
    BadKey {
        /// The act that carried the key.
        part: Part,
        /// The 33 bytes in hex.
        got: String,
    },
    /// The sealed node id of act three was made with other keys, or altered.
    #[error(
        "act three: expected a node id sealed with the keys of acts one and two, it does not authenticate"
    )]
    BadNodeId,
    /// An authentication tag is wrong.
    #[error(
        "{part}: the authentication tag is wrong: expected the keys agreed so far (and, in act one, our node id)"
    )]
    BadTag {
        /// What was being read.
        part: Part,
    },
    /// A message to send does not fit into the 16-bit length.
    #[error("expected a message of at most 65535 bytes to send, got {got}")]
    TooLong {
        /// Its length in bytes.
        got: usize,
    },
    /// A message was to be sent before the handshake was over.
    #[error("expected the handshake to be over before a message is sent: wait for Event::Connected")]
    NotConnected,
}
