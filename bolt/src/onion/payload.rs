//! What a layer of an onion says: a TLV stream (BOLT 4, "`payload` format").

use super::legacy;
use crate::integer::{IntegerError, decode_tu64, encode_tu64, read_bigsize, write_bigsize};
use crate::short_channel_id::ShortChannelId;
use crate::tlv::{TlvError, TlvStream};
use thiserror::Error;

const AMT_TO_FORWARD: u64 = 2;
const OUTGOING_CLTV_VALUE: u64 = 4;
const SHORT_CHANNEL_ID: u64 = 6;
const PAYMENT_DATA: u64 = 8;
const ENCRYPTED_RECIPIENT_DATA: u64 = 10;
const CURRENT_PATH_KEY: u64 = 12;
const PAYMENT_METADATA: u64 = 16;
const TOTAL_AMOUNT_MSAT: u64 = 18;

/// The types of records that have a meaning to nodes, in ascending order.
pub const KNOWN: [u64; 8] = [
    AMT_TO_FORWARD,
    OUTGOING_CLTV_VALUE,
    SHORT_CHANNEL_ID,
    PAYMENT_DATA,
    ENCRYPTED_RECIPIENT_DATA,
    CURRENT_PATH_KEY,
    PAYMENT_METADATA,
    TOTAL_AMOUNT_MSAT,
];

/// The instructions for one hop. What is not typed stays in [`tlvs`](Self::tlvs).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// What to forward, or what the last hop is to get, in msat.
    pub amt_to_forward_msat: u64,
    /// The height at which the next HTLC ends, or the last one.
    pub outgoing_cltv_value: u32,
    /// The channel to forward through; the last hop has none.
    pub short_channel_id: Option<ShortChannelId>,
    /// What the last hop needs to put parts together.
    pub payment_data: Option<PaymentData>,
    /// What the invoice asked to be sent along.
    pub payment_metadata: Option<Vec<u8>>,
    /// All records, the ones above and unknown ones included.
    pub tlvs: TlvStream,
}

/// What holds the parts of a payment together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentData {
    /// Of the invoice.
    pub payment_secret: [u8; 32],
    /// All parts together, in msat.
    pub total_msat: u64,
}

/// Why a payload is none. [`PayloadError::kind`] is what `invalid_onion_payload` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// The length in front is not that of what follows.
    #[error("expected a payload behind its length in bytes")]
    Length,
    /// Not a TLV stream, or an unknown even type.
    #[error(transparent)]
    Tlvs(#[from] TlvError),
    /// A record that every payload needs is not there.
    #[error("expected a record of type {kind}")]
    Missing {
        /// Its type.
        kind: u64,
    },
    /// A record is too short, too long, or no number.
    #[error("type {kind}: {why}")]
    Record {
        /// Its type.
        kind: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The payload belongs to a blinded path, which this node does not take part in.
    #[error("type {kind} belongs to a blinded path, which is not supported")]
    Blinded {
        /// The first such type.
        kind: u64,
    },
}

impl PayloadError {
    /// The type of the record that is wrong; 0 if no single one is.
    #[must_use]
    pub fn kind(&self) -> u64 {
        match self {
            Self::Length => 0,
            Self::Missing { kind } | Self::Record { kind, .. } | Self::Blinded { kind } => *kind,
            Self::Tlvs(error) => match error {
                TlvError::Type(_) => 0,
                TlvError::Length { kind, .. }
                | TlvError::Value { kind, .. }
                | TlvError::Order { kind, .. }
                | TlvError::UnknownEven { kind, .. } => *kind,
            },
        }
    }
}

impl Payload {
    /// What all parts of the payment are together, in msat: this HTLC is all if nothing else is said.
    #[must_use]
    pub fn total_msat(&self) -> u64 {
        self.payment_data.map_or(self.amt_to_forward_msat, |data| data.total_msat)
    }

    /// The payload of a hop that forwards.
    #[must_use]
    pub fn forward(
        short_channel_id: ShortChannelId,
        amt_to_forward_msat: u64,
        outgoing_cltv_value: u32,
    ) -> Self {
        let mut payload = Self::bare(amt_to_forward_msat, outgoing_cltv_value);
        payload.short_channel_id = Some(short_channel_id);
        payload.tlvs.set(SHORT_CHANNEL_ID, short_channel_id.to_u64().to_be_bytes());
        payload
    }

    /// The payload of the last hop.
    #[must_use]
    pub fn last(
        amt_to_forward_msat: u64,
        outgoing_cltv_value: u32,
        payment_data: Option<PaymentData>,
        payment_metadata: Option<Vec<u8>>,
    ) -> Self {
        let mut payload = Self::bare(amt_to_forward_msat, outgoing_cltv_value);
        if let Some(data) = payment_data {
            let record = [&data.payment_secret[..], &encode_tu64(data.total_msat)].concat();
            payload.tlvs.set(PAYMENT_DATA, record);
        }
        if let Some(metadata) = &payment_metadata {
            payload.tlvs.set(PAYMENT_METADATA, metadata.clone());
        }
        Self { payment_data, payment_metadata, ..payload }
    }

    fn bare(amt_to_forward_msat: u64, outgoing_cltv_value: u32) -> Self {
        let mut tlvs = TlvStream::new();
        tlvs.set(AMT_TO_FORWARD, encode_tu64(amt_to_forward_msat));
        tlvs.set(OUTGOING_CLTV_VALUE, encode_tu64(outgoing_cltv_value.into()));
        Self {
            amt_to_forward_msat,
            outgoing_cltv_value,
            short_channel_id: None,
            payment_data: None,
            payment_metadata: None,
            tlvs,
        }
    }

    /// The bytes of a layer: the records behind their length as BigSize, or the old form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        if self.is_legacy() {
            return legacy::encode(self);
        }
        with_length(&self.tlvs.encode())
    }

    /// Reads a layer as a hop that hands the HTLC on does, and as the last hop does, which needs no channel.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode); if `is_last` is not so, also if there is no channel to forward through.
    pub fn decode_hop(layer: &[u8], is_last: bool, extra_known: &[u64]) -> Result<Self, PayloadError> {
        if let Some(payload) = legacy::decode(layer, is_last) {
            return Ok(payload);
        }
        let payload = Self::decode(layer, extra_known)?;
        if !is_last && payload.short_channel_id.is_none() {
            return Err(PayloadError::Missing { kind: SHORT_CHANNEL_ID });
        }
        Ok(payload)
    }

    /// Reads a layer. `extra_known` are even types that somebody else takes care of (`accept-htlc-tlv-type`).
    ///
    /// # Errors
    ///
    /// If it is no TLV stream, has an unknown even type, or lacks an amount or height.
    pub fn decode(layer: &[u8], extra_known: &[u64]) -> Result<Self, PayloadError> {
        let mut records = layer;
        let length = read_bigsize(&mut records).map_err(|_| PayloadError::Length)?;
        if length != records.len() as u64 {
            return Err(PayloadError::Length);
        }
        let tlvs = TlvStream::decode(records)?;
        if let Some(kind) =
            [ENCRYPTED_RECIPIENT_DATA, CURRENT_PATH_KEY].into_iter().find(|kind| tlvs.get(*kind).is_some())
        {
            return Err(PayloadError::Blinded { kind });
        }
        tlvs.check_known(&[&KNOWN[..], extra_known].concat())?;
        Ok(Self {
            amt_to_forward_msat: number(AMT_TO_FORWARD, required(&tlvs, AMT_TO_FORWARD)?)?,
            outgoing_cltv_value: cltv(required(&tlvs, OUTGOING_CLTV_VALUE)?)?,
            short_channel_id: tlvs.get(SHORT_CHANNEL_ID).map(short_channel_id).transpose()?,
            payment_data: tlvs.get(PAYMENT_DATA).map(payment_data).transpose()?,
            payment_metadata: tlvs.get(PAYMENT_METADATA).map(<[u8]>::to_vec),
            tlvs,
        })
    }
}

/// Puts the length of `records` in front of them, as BigSize: the form that packets have.
#[must_use]
pub fn with_length(records: &[u8]) -> Vec<u8> {
    let mut layer = Vec::new();
    write_bigsize(records.len() as u64, &mut layer);
    layer.extend(records);
    layer
}

/// Where the record of type `kind` begins in a layer, in bytes; its end if there is none. `invalid_onion_payload` tells so.
#[must_use]
pub fn offset(layer: &[u8], kind: u64) -> usize {
    let mut rest = layer;
    // The length in front.
    let mut end_of_record = read_bigsize(&mut rest).is_ok().then_some(rest);
    while let Some(mut record) = end_of_record.filter(|rest| !rest.is_empty()) {
        let start = layer.len() - record.len();
        if read_bigsize(&mut record) == Ok(kind) {
            return start;
        }
        let length = read_bigsize(&mut record).ok().and_then(|length| usize::try_from(length).ok());
        end_of_record = length.and_then(|length| record.get(length..));
    }
    layer.len()
}

fn required(tlvs: &TlvStream, kind: u64) -> Result<&[u8], PayloadError> {
    tlvs.get(kind).ok_or(PayloadError::Missing { kind })
}

fn number(kind: u64, value: &[u8]) -> Result<u64, PayloadError> {
    decode_tu64(value).map_err(|error: IntegerError| PayloadError::Record { kind, why: error.to_string() })
}

fn cltv(value: &[u8]) -> Result<u32, PayloadError> {
    let kind = OUTGOING_CLTV_VALUE;
    let height = number(kind, value)?;
    height.try_into().map_err(|_| PayloadError::Record { kind, why: format!("{height} is no height") })
}

fn short_channel_id(value: &[u8]) -> Result<ShortChannelId, PayloadError> {
    let bytes = value.try_into().map_err(|_| PayloadError::Record {
        kind: SHORT_CHANNEL_ID,
        why: format!("expected 8 bytes, got {}", value.len()),
    })?;
    Ok(ShortChannelId::from_u64(u64::from_be_bytes(bytes)))
}

fn payment_data(value: &[u8]) -> Result<PaymentData, PayloadError> {
    let Some((payment_secret, total)) = value.split_first_chunk() else {
        let why = format!("expected 32 bytes and an amount, got {} bytes", value.len());
        return Err(PayloadError::Record { kind: PAYMENT_DATA, why });
    };
    Ok(PaymentData { payment_secret: *payment_secret, total_msat: number(PAYMENT_DATA, total)? })
}
