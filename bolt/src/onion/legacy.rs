//! Payloads of a fixed length, as nodes made them before TLV streams and lightningd v0.10 still did (BOLT 4 as of 2021, "Legacy
//! `hop_data` payload format").

use super::Payload;
use crate::short_channel_id::ShortChannelId;
use crate::tlv::TlvStream;

/// The whole layer: a zero, channel, amount, height, and twelve bytes that mean nothing.
pub const LENGTH: usize = 33;

impl Payload {
    /// A payload of the old form. The last hop has no channel.
    #[must_use]
    pub fn legacy(
        short_channel_id: Option<ShortChannelId>,
        amt_to_forward_msat: u64,
        outgoing_cltv_value: u32,
    ) -> Self {
        Self {
            amt_to_forward_msat,
            outgoing_cltv_value,
            short_channel_id,
            payment_data: None,
            payment_metadata: None,
            tlvs: TlvStream::new(),
        }
    }

    /// Whether it has the old form: one of records has at least two.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.tlvs.iter().next().is_none()
    }
}

pub(super) fn encode(payload: &Payload) -> Vec<u8> {
    let channel = payload.short_channel_id.map_or(0, ShortChannelId::to_u64);
    let mut layer = vec![0];
    layer.extend(channel.to_be_bytes());
    layer.extend(payload.amt_to_forward_msat.to_be_bytes());
    layer.extend(payload.outgoing_cltv_value.to_be_bytes());
    layer.resize(LENGTH, 0);
    layer
}

/// Reads a layer, if it has the old form.
pub(super) fn decode(layer: &[u8], is_last: bool) -> Option<Payload> {
    let (zero, rest) = layer.split_first().filter(|_| layer.len() == LENGTH)?;
    let (channel, rest) = rest.split_first_chunk()?;
    let (amount, rest) = rest.split_first_chunk()?;
    let height = rest.first_chunk()?;
    let channel = (!is_last).then(|| ShortChannelId::from_u64(u64::from_be_bytes(*channel)));
    (*zero == 0).then(|| Payload::legacy(channel, u64::from_be_bytes(*amount), u32::from_be_bytes(*height)))
}
