//! Onion messages: what nodes tell each other without a channel, along blinded paths (BOLT 4, "Onion Messages").

use super::blinding::{BlindedPath, PathSecret, RecipientData};
use super::packet::{CreateError, Hop, OnionPacket, PAYLOADS_LENGTH, PeelError};
use super::payload::with_length;
use super::secret::OnionSecret;
use crate::integer::read_bigsize;
use crate::message::MessageError;
use crate::message::field::{Field, Fields, read_whole};
use crate::short_channel_id::ShortChannelId;
use crate::tlv::TlvStream;
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::{PublicKey, SecretKey};
use std::fmt;
use thiserror::Error;

/// How long the payloads are together if they do not fit into [`PAYLOADS_LENGTH`]: BOLT 4 recommends the two.
const LARGE_PAYLOADS_LENGTH: usize = 32768;

const REPLY_PATH: u64 = 2;
const ENCRYPTED_RECIPIENT_DATA: u64 = 4;
const INVOICE_REQUEST: u64 = 64;
const INVOICE: u64 = 66;
const INVOICE_ERROR: u64 = 68;
const KNOWN: [u64; 5] = [REPLY_PATH, ENCRYPTED_RECIPIENT_DATA, INVOICE_REQUEST, INVOICE, INVOICE_ERROR];

/// The message of type 513.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnionMessage {
    /// With which the node that gets it unblinds it.
    pub path_key: PublicKey,
    /// A packet of any length.
    pub packet: OnionPacket,
}

/// What a layer says: `onionmsg_tlv`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessagePayload {
    /// How to answer.
    pub reply_path: Option<BlindedPath>,
    /// What the creator of the path tells this node.
    pub encrypted_recipient_data: Option<Vec<u8>>,
    /// Asks for an invoice (BOLT 12).
    pub invoice_request: Option<Vec<u8>>,
    /// An invoice (BOLT 12).
    pub invoice: Option<Vec<u8>>,
    /// Why there is none (BOLT 12).
    pub invoice_error: Option<Vec<u8>>,
    /// Unknown odd types.
    pub others: TlvStream,
}

/// What a node does with a message that came to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// It is for this node.
    Here {
        /// What this node once put into the path for itself, if it did.
        path_id: Option<Vec<u8>>,
        /// What is said.
        payload: Box<MessagePayload>,
    },
    /// It is for another node.
    Forward {
        /// The next node.
        next: NextNode,
        /// What it is to get.
        message: OnionMessage,
    },
}

/// A neighbour, as the creator of a path names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextNode {
    /// By its id.
    Id(PublicKey),
    /// By a channel with it, or an alias of one.
    Channel(ShortChannelId),
}

/// Why a message is ignored, in lightningd's words (`common/onion_message_parse.c`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArrivalError {
    /// The packet is none.
    #[error("onion_message_parse: can't parse onionpacket: {}", wire_name(*.0))]
    Packet(PeelError),
    /// The packet was not made for this node and path.
    #[error("onion_message_parse: can't process onionpacket ss={}", .shared_secret.0.as_hex())]
    Layer {
        /// With which it was tried.
        shared_secret: OnionSecret,
    },
    /// The layer is no `onionmsg_tlv`.
    #[error("onion_message_parse: invalid onionmsg_tlv {}", .layer.as_hex())]
    Payload {
        /// The layer, its length in front.
        layer: Vec<u8>,
    },
    /// The last node cannot read what the path's creator tells it.
    #[error("onion_message_parse: failed to decrypt encrypted_recipient_data {}", .encrypted.as_hex())]
    Last {
        /// What it was.
        encrypted: Vec<u8>,
    },
    /// A node on the way is told something by the sender.
    #[error("onion_message_parse: disallowed tlv field")]
    Disallowed,
    /// A node on the way is not told, or cannot read, where to go on.
    #[error("onion_message_parse: invalid encrypted_recipient_data {}", .encrypted.as_hex())]
    OnTheWay {
        /// What it was.
        encrypted: Vec<u8>,
    },
}

impl OnionMessage {
    /// The 16-bit type.
    pub const TYPE: u16 = 513;
    /// The name in the BOLTs.
    pub const NAME: &'static str = "onion_message";

    /// Makes the message that says `payload` to the last node of `path`. It is for the first.
    ///
    /// # Errors
    ///
    /// If the path has no hops, or all of it does not fit into 32768 bytes.
    pub fn create(
        session_key: &SecretKey,
        path: &BlindedPath,
        payload: &MessagePayload,
    ) -> Result<Self, CreateError> {
        let on_the_way = MessagePayload::default();
        let layers = path.hops.iter().enumerate().map(|(number, hop)| {
            let said = if number + 1 == path.hops.len() { payload } else { &on_the_way };
            let encrypted = Some(hop.encrypted_recipient_data.clone());
            let layer = MessagePayload { encrypted_recipient_data: encrypted, ..said.clone() };
            Hop { node_id: hop.blinded_node_id, payload: with_length(&layer.encode()) }
        });
        let layers: Vec<Hop> = layers.collect();
        let length = match OnionPacket::room_for(&layers) {
            0..=PAYLOADS_LENGTH => PAYLOADS_LENGTH,
            _ => LARGE_PAYLOADS_LENGTH,
        };
        let (packet, _) = OnionPacket::create(session_key, &layers, &[], length)?;
        Ok(Self { path_key: path.first_path_key, packet })
    }

    /// Reads a payload, which is what follows the type.
    ///
    /// # Errors
    ///
    /// If a field is cut off, or the key is no point.
    pub fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        let mut fields = Fields::new(Self::NAME, payload);
        let path_key = fields.read("path_key")?;
        let packet: Vec<u8> = fields.read("onion_message_packet")?;
        Ok(Self { path_key, packet: packet.into() })
    }

    /// Type and payload, for [`crate::Noise::send`].
    ///
    /// # Panics
    ///
    /// If the packet is longer than 65535 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Self::TYPE.to_be_bytes().to_vec();
        self.path_key.write(&mut out);
        self.packet.as_bytes().to_vec().write(&mut out);
        out
    }

    /// Takes off the layer of the node whose key is `node_key`.
    ///
    /// # Errors
    ///
    /// If the message is to be ignored.
    pub fn peel(&self, node_key: &SecretKey) -> Result<Arrived, ArrivalError> {
        let secret = PathSecret::new(&self.path_key, node_key);
        let key = secret.blinded_key(node_key);
        let shared_secret = self.packet.shared_secret(&key).map_err(ArrivalError::Packet)?;
        let peeled = self.packet.peel(&key, &[]).map_err(|_| ArrivalError::Layer { shared_secret })?;
        let layer = peeled.payload;
        let mut records = &layer[..];
        let payload = read_bigsize(&mut records).ok().and_then(|_| MessagePayload::decode(records).ok());
        let Some(payload) = payload else { return Err(ArrivalError::Payload { layer }) };
        if peeled.is_last { here(&secret, payload) } else { forward(&secret, payload, peeled.next) }
    }
}

fn here(secret: &PathSecret, payload: MessagePayload) -> Result<Arrived, ArrivalError> {
    let path_id = match &payload.encrypted_recipient_data {
        None => None,
        Some(encrypted) => {
            let unreadable = || ArrivalError::Last { encrypted: encrypted.clone() };
            told(secret, encrypted).ok_or_else(unreadable)?.path_id
        }
    };
    Ok(Arrived::Here { path_id, payload: Box::new(payload) })
}

fn forward(
    secret: &PathSecret,
    payload: MessagePayload,
    packet: OnionPacket,
) -> Result<Arrived, ArrivalError> {
    if payload.tlvs().iter().count() != 1 {
        return Err(ArrivalError::Disallowed);
    }
    let encrypted = payload.encrypted_recipient_data.unwrap_or_default();
    let Some(told) = told(secret, &encrypted).filter(|told| told.path_id.is_none()) else {
        return Err(ArrivalError::OnTheWay { encrypted });
    };
    let next = told.next_node_id.map(NextNode::Id);
    let Some(next) = next.or_else(|| told.short_channel_id.map(NextNode::Channel)) else {
        return Err(ArrivalError::OnTheWay { encrypted });
    };
    let path_key = told.next_path_key_override.unwrap_or_else(|| secret.next_path_key());
    Ok(Arrived::Forward { next, message: OnionMessage { path_key, packet } })
}

fn told(secret: &PathSecret, encrypted: &[u8]) -> Option<RecipientData> {
    RecipientData::decode(&secret.open(encrypted)?).ok()
}

impl MessagePayload {
    /// Reads the records of a layer, without their length.
    ///
    /// # Errors
    ///
    /// If it is no TLV stream, has an unknown even type, or `reply_path` is no path.
    pub fn decode(records: &[u8]) -> Result<Self, MessageError> {
        const NAME: &str = "onionmsg_tlv";
        let mut payload = Self::default();
        for (kind, value) in Fields::new(NAME, records).tlvs(&KNOWN)?.iter() {
            match kind {
                REPLY_PATH => payload.reply_path = Some(read_whole(NAME, "reply_path", value)?),
                ENCRYPTED_RECIPIENT_DATA => payload.encrypted_recipient_data = Some(value.to_vec()),
                INVOICE_REQUEST => payload.invoice_request = Some(value.to_vec()),
                INVOICE => payload.invoice = Some(value.to_vec()),
                INVOICE_ERROR => payload.invoice_error = Some(value.to_vec()),
                _ => payload.others.set(kind, value),
            }
        }
        Ok(payload)
    }

    /// The records, without their length.
    ///
    /// # Panics
    ///
    /// As [`BlindedPath::encode`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.tlvs().encode()
    }

    fn tlvs(&self) -> TlvStream {
        let mut tlvs = self.others.clone();
        if let Some(path) = &self.reply_path {
            tlvs.set(REPLY_PATH, path.encode());
        }
        let blobs = [
            (ENCRYPTED_RECIPIENT_DATA, &self.encrypted_recipient_data),
            (INVOICE_REQUEST, &self.invoice_request),
            (INVOICE, &self.invoice),
            (INVOICE_ERROR, &self.invoice_error),
        ];
        for (kind, blob) in blobs {
            if let Some(blob) = blob {
                tlvs.set(kind, blob.clone());
            }
        }
        tlvs
    }
}

impl fmt::Display for NextNode {
    /// As lightningd writes it: a channel has a direction behind it, which means nothing here.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(formatter),
            Self::Channel(channel) => write!(formatter, "{channel}/0"),
        }
    }
}

fn wire_name(error: PeelError) -> &'static str {
    match error {
        PeelError::Version => "WIRE_INVALID_ONION_VERSION",
        PeelError::Key => "WIRE_INVALID_ONION_KEY",
        PeelError::Hmac | PeelError::Payload { .. } => "WIRE_INVALID_ONION_HMAC",
    }
}
