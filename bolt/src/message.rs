//! Wire messages. Those that every connection needs (BOLT 1) are [`Message`]; all others stay as they came, and can be read as a
//! [`ChannelMessage`] (BOLT 2), a [`GossipMessage`] (BOLT 7) or an [`OnionMessage`] (BOLT 4).

pub mod channel;
mod define;
pub(crate) mod field;
pub mod gossip;

pub use channel::ChannelMessage;
pub use field::Excess;
pub use gossip::GossipMessage;

use crate::channel_id::ChannelId;
use crate::features::Features;
use crate::onion::OnionMessage;
use crate::tlv::{TlvError, TlvStream};
use bitcoin::constants::ChainHash;
use field::{Field, Fields};
use thiserror::Error;

/// Type numbers of the messages that are typed here (BOLT 1).
pub mod msg_type {
    /// `warning`
    pub const WARNING: u16 = 1;
    /// `init`
    pub const INIT: u16 = 16;
    /// `error`
    pub const ERROR: u16 = 17;
    /// `ping`
    pub const PING: u16 = 18;
    /// `pong`
    pub const PONG: u16 = 19;
}

/// A `ping` that asks for this many bytes or more gets no `pong` (BOLT 1).
const NO_PONG: u16 = 65532;

/// A message as it goes through the transport: 16-bit type, payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The first message in either direction.
    Init(Init),
    /// The channel, or all of them, failed.
    Error {
        /// [`ChannelId::ALL`], or the one that failed.
        channel_id: ChannelId,
        /// Free text, not necessarily printable.
        data: Vec<u8>,
    },
    /// Something is wrong, the channels may go on.
    Warning {
        /// [`ChannelId::ALL`], or the one that is meant.
        channel_id: ChannelId,
        /// Free text, not necessarily printable.
        data: Vec<u8>,
    },
    /// Asks for a `pong`; see [`Message::pong`].
    Ping {
        /// Length of the wanted `ignored` in bytes.
        num_pong_bytes: u16,
        /// Padding.
        ignored: Vec<u8>,
    },
    /// The answer to a `ping`.
    Pong {
        /// Padding.
        ignored: Vec<u8>,
    },
    /// Any other message, byte for byte.
    Unknown {
        /// Its type.
        msg_type: u16,
        /// What follows the type.
        payload: Vec<u8>,
    },
}

/// Features, chains and address of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Init {
    /// The older of two feature maps; both count, see [`Init::all_features`].
    pub globalfeatures: Features,
    /// The newer feature map.
    pub features: Features,
    /// `networks` (1), `remote_addr` (3) and whatever odd types the peer added.
    pub tlvs: TlvStream,
}

/// Why bytes are not the message that their type says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageError {
    /// Less than the two bytes of a type.
    #[error("expected a message type of 2 bytes, got {got}")]
    NoType {
        /// How many bytes there are.
        got: usize,
    },
    /// A field is cut off.
    #[error("{message}: expected {expected} bytes of {field}, only {got} are left")]
    Truncated {
        /// Name of the message.
        message: &'static str,
        /// Name of the field.
        field: &'static str,
        /// Its length in bytes.
        expected: usize,
        /// How many bytes are left.
        got: usize,
    },
    /// The extension is not a valid TLV stream, or has an unknown even type.
    #[error("{message}: {error}")]
    Tlvs {
        /// Name of the message.
        message: &'static str,
        /// What is wrong with the extension.
        error: TlvError,
    },
    /// A field is no point of the curve, or no signature.
    #[error("{message}: {field}: {why}")]
    Invalid {
        /// Name of the message.
        message: &'static str,
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// `networks` of `init` is not a list of 32-byte hashes.
    #[error("init: expected networks to be a multiple of 32 bytes, got {got}")]
    Networks {
        /// Its length in bytes.
        got: usize,
    },
}

impl Message {
    /// Reads type and payload. Bytes behind the last known field of `error`, `warning`, `ping` and `pong` are
    /// dropped, as BOLT 1 demands.
    ///
    /// # Errors
    ///
    /// If a field is cut off, or the extension of `init` is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let Some((kind, payload)) = bytes.split_first_chunk() else {
            return Err(MessageError::NoType { got: bytes.len() });
        };
        match u16::from_be_bytes(*kind) {
            msg_type::INIT => Init::decode(payload).map(Self::Init),
            msg_type::ERROR => {
                let mut fields = Fields::new("error", payload);
                Ok(Self::Error { channel_id: fields.read("channel_id")?, data: fields.read("data")? })
            }
            msg_type::WARNING => {
                let mut fields = Fields::new("warning", payload);
                Ok(Self::Warning { channel_id: fields.read("channel_id")?, data: fields.read("data")? })
            }
            msg_type::PING => {
                let mut fields = Fields::new("ping", payload);
                Ok(Self::Ping {
                    num_pong_bytes: fields.read("num_pong_bytes")?,
                    ignored: fields.read("ignored")?,
                })
            }
            msg_type::PONG => Ok(Self::Pong { ignored: Fields::new("pong", payload).read("ignored")? }),
            msg_type => Ok(Self::Unknown { msg_type, payload: payload.to_vec() }),
        }
    }

    /// Type and payload, for [`crate::Noise::send`].
    ///
    /// # Panics
    ///
    /// If a field does not fit into its 16-bit length. No such message fits into the transport.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.msg_type().to_be_bytes().to_vec();
        match self {
            Self::Init(init) => init.encode(&mut out),
            Self::Error { channel_id, data } | Self::Warning { channel_id, data } => {
                channel_id.write(&mut out);
                data.write(&mut out);
            }
            Self::Ping { num_pong_bytes, ignored } => {
                out.extend(num_pong_bytes.to_be_bytes());
                ignored.write(&mut out);
            }
            Self::Pong { ignored } => ignored.write(&mut out),
            Self::Unknown { payload, .. } => out.extend(payload),
        }
        out
    }

    /// The 16-bit type.
    pub fn msg_type(&self) -> u16 {
        match self {
            Self::Init(_) => msg_type::INIT,
            Self::Error { .. } => msg_type::ERROR,
            Self::Warning { .. } => msg_type::WARNING,
            Self::Ping { .. } => msg_type::PING,
            Self::Pong { .. } => msg_type::PONG,
            Self::Unknown { msg_type, .. } => *msg_type,
        }
    }

    /// The answer to a `ping` that asks for `num_pong_bytes`: `None` from 65532 on, when BOLT 1 wants silence.
    pub fn pong(num_pong_bytes: u16) -> Option<Self> {
        (num_pong_bytes < NO_PONG).then(|| Self::Pong { ignored: vec![0; num_pong_bytes.into()] })
    }

    /// The name in the BOLTs of a type that is known here, of channels, gossip and onions too, such as `commitment_signed`.
    pub fn name_of(msg_type: u16) -> Option<&'static str> {
        let basic = match msg_type {
            msg_type::WARNING => "warning",
            msg_type::INIT => "init",
            msg_type::ERROR => "error",
            msg_type::PING => "ping",
            msg_type::PONG => "pong",
            OnionMessage::TYPE => OnionMessage::NAME,
            _ => return ChannelMessage::name_of(msg_type).or_else(|| GossipMessage::name_of(msg_type)),
        };
        Some(basic)
    }

    /// Whether a node that does not know this type may ignore it: "it's ok to be odd". An unknown even type
    /// ends the connection.
    pub fn may_be_ignored(msg_type: u16) -> bool {
        msg_type % 2 == 1
    }
}

impl Init {
    const NETWORKS: u64 = 1;
    const REMOTE_ADDR: u64 = 3;

    /// The message of a node on the given chains.
    pub fn new(globalfeatures: Features, features: Features, networks: &[ChainHash]) -> Self {
        let mut tlvs = TlvStream::new();
        tlvs.set(Self::NETWORKS, networks.iter().flat_map(|chain| chain.to_bytes()).collect::<Vec<u8>>());
        Self { globalfeatures, features, tlvs }
    }

    /// Adds the address that the peer is seen under, as an address descriptor of BOLT 7 (type byte and data).
    #[must_use]
    pub fn with_remote_addr(mut self, descriptor: impl Into<Vec<u8>>) -> Self {
        self.tlvs.set(Self::REMOTE_ADDR, descriptor);
        self
    }

    /// Both feature maps in one: what counts.
    #[must_use]
    pub fn all_features(&self) -> Features {
        self.globalfeatures.or(&self.features)
    }

    /// The chains that the peer is interested in; `None` if it does not say.
    pub fn networks(&self) -> Option<Vec<ChainHash>> {
        let networks = self.tlvs.get(Self::NETWORKS)?;
        Some(networks.as_chunks().0.iter().map(|chain| ChainHash::from(*chain)).collect())
    }

    /// The address that the peer sees us under, as an address descriptor of BOLT 7.
    pub fn remote_addr(&self) -> Option<&[u8]> {
        self.tlvs.get(Self::REMOTE_ADDR)
    }

    fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        let mut fields = Fields::new("init", payload);
        let globalfeatures = fields.read("globalfeatures")?;
        let features = fields.read("features")?;
        let tlvs = fields.tlvs(&[])?;
        match tlvs.get(Self::NETWORKS) {
            Some(networks) if networks.len() % 32 != 0 => Err(MessageError::Networks { got: networks.len() }),
            _ => Ok(Self { globalfeatures, features, tlvs }),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.globalfeatures.write(out);
        self.features.write(out);
        out.extend(self.tlvs.encode());
    }
}
