//! Sending a part (`lightningd/pay.c:send_payment_core`).

use super::failure::{Failure, RouteFailure, direction};
use super::outcome::PartFailure;
use super::progress::Progress;
use super::store::{NewPayment, Payment};
use super::{PaymentKey, code};
use crate::channel::htlc::OfferError;
use crate::channel::{HtlcOrigin, LocalChannel};
use crate::event::LogLevel;
use crate::state::State;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ShortChannelId;
use leyden_bolt::channel::{AddHtlc, AddHtlcError};
use leyden_bolt::message::channel::ONION_PACKET_LENGTH;
use leyden_bolt::onion::{FailureCode, OnionPacket};
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::transaction::Side;
use leyden_protocol::message::RpcError;
use serde_json::{Map, Value};

/// The first step of a part's way.
#[derive(Debug, Clone)]
pub(super) struct FirstHop {
    pub(super) node: PublicKey,
    /// 0 for any channel with the node.
    pub(super) channel: ShortChannelId,
    pub(super) amount_msat: u64,
    /// In blocks.
    pub(super) delay: u32,
}

/// A part that can be sent.
pub(super) struct Part {
    pub(super) first: FirstHop,
    pub(super) payment: NewPayment,
    pub(super) onion: Box<[u8; ONION_PACKET_LENGTH]>,
}

/// What became of an attempt to send.
pub(super) enum Sent {
    /// It is on its way, now or since earlier.
    Pending(Payment),
    /// It has arrived, earlier.
    Complete(Payment),
    /// The channel did not take it: `sendpay` answers as if it had, and then it fails.
    Refused(Payment, Refusal),
}

/// Why the channel did not take a part.
pub(super) struct Refusal {
    log_source: String,
    failure: PartFailure,
}

impl State {
    /// Sends a part, unless that was done before.
    ///
    /// # Errors
    /// If it contradicts what was sent before, or no channel leads to the first node.
    pub(super) fn send_part(&mut self, part: Part) -> Result<Sent, RpcError> {
        match self.check_progress(&part.payment)? {
            Progress::New => {}
            Progress::Pending(payment) => return Ok(Sent::Pending(payment)),
            Progress::Complete(payment) => return Ok(Sent::Complete(payment)),
        }
        let Part { first, payment, onion } = part;
        let Some(dbid) = self.channel_for(&first, payment.amount_msat) else {
            return Err(self.no_first_channel());
        };
        let (sent, deliver) = (first.amount_msat, payment.amount_msat);
        let how = match payment.route.channels.len() {
            0 => "in onion".to_owned(),
            hops => format!("over {hops} hops"),
        };
        self.log_main(LogLevel::Info, &format!("Sending {sent}msat {how} to deliver {deliver}msat"));
        let PaymentKey { payment_hash, partid, groupid } = payment.key;
        let payment_hash = sha256::Hash::from_byte_array(payment_hash);
        let cltv_expiry = self.base_expiry() + first.delay;
        let add = AddHtlc { amount_msat: sent, payment_hash, cltv_expiry, onion, tlvs: TlvStream::new() };
        match self.offer_htlc(dbid, add, HtlcOrigin::Payment { payment_hash, partid, groupid }) {
            Ok(_) => Ok(Sent::Pending(self.add_payment(payment))),
            Err(OfferError::NotReady) => Err(self.first_channel_not_ready(dbid)),
            Err(OfferError::Refused(error)) => {
                let log_source = self.channels.get(dbid).map(LocalChannel::log_source).unwrap_or_default();
                let failure = PartFailure::Local { code: failure_code(&error), why: error.to_string() };
                Ok(Sent::Refused(self.add_payment(payment), Refusal { log_source, failure }))
            }
        }
    }

    /// Fails a part that no channel took, after it has been answered that it is on its way.
    pub(super) fn fail_refused(&mut self, payment: &Payment, refusal: Refusal) {
        self.payment_failed(&payment.sent.key, &refusal.log_source, refusal.failure);
    }

    /// HTLCs end so many blocks above their delay: a block may come while they are under way.
    pub(super) fn base_expiry(&self) -> u32 {
        self.topology.height() + 1
    }

    fn channel_for(&mut self, first: &FirstHop, amount_msat: u64) -> Option<u64> {
        let any = first.channel.to_u64() == 0;
        let usable = |channel: &&LocalChannel| channel.state.can_add_htlc();
        let of_peer = || self.channels.of_peer(&first.node).filter(usable);
        let found = of_peer()
            .find(|channel| channel.scid == Some(first.channel))
            .or_else(|| of_peer().find(|channel| channel.alias_local == first.channel))
            .or_else(|| {
                of_peer().find(|channel| any && channel.bolt.balance_msat(Side::Local) > amount_msat)
            });
        let wanted = format!("{} ({amount_msat}msat)", first.channel);
        let selected = found.map(|channel| {
            let (name, ours) = (channel.scid_or_alias(), channel.bolt.balance_msat(Side::Local));
            (channel.dbid, format!("Selected channel {name} ({ours}msat) for selector {wanted}"))
        });
        let text = selected
            .as_ref()
            .map_or_else(|| format!("No channel found for selector {wanted}"), |(_, text)| text.clone());
        self.log_main(LogLevel::Debug, &text);
        selected.map(|(dbid, _)| dbid)
    }

    fn no_first_channel(&self) -> RpcError {
        let data: Map<String, Value> = RouteFailure {
            erring_index: 0,
            code: FailureCode::UNKNOWN_NEXT_PEER,
            erring_node: Some(self.node_id),
            erring_channel: None,
            message: None,
        }
        .fields();
        let error = RpcError::new(code::TRY_OTHER_ROUTE, "No connection to first peer found");
        RpcError { data: Some(data.into()), ..error }
    }

    fn first_channel_not_ready(&self, dbid: u64) -> RpcError {
        let channel = self.channels.get(dbid);
        let channel = channel.map(|one| (one.scid_or_alias(), direction(&self.node_id, &one.peer)));
        let failure = RouteFailure {
            erring_index: 0,
            code: FailureCode::TEMPORARY_CHANNEL_FAILURE,
            erring_node: Some(self.node_id),
            erring_channel: channel,
            message: None,
        };
        let detail = "First peer not ready".to_owned();
        Failure::Known { failure, code: code::TRY_OTHER_ROUTE, detail }.error(self, None)
    }
}

/// What channeld says of each.
fn failure_code(error: &AddHtlcError) -> FailureCode {
    match error {
        AddHtlcError::InvalidExpiry { .. } => FailureCode::INCORRECT_CLTV_EXPIRY,
        AddHtlcError::MaxHtlcValueExceeded => FailureCode::REQUIRED_NODE_FEATURE_MISSING,
        AddHtlcError::HtlcBelowMinimum { .. } => FailureCode::AMOUNT_BELOW_MINIMUM,
        _ => FailureCode::TEMPORARY_CHANNEL_FAILURE,
    }
}

/// A packet as HTLCs carry it; `None` if it has another length.
pub(super) fn htlc_onion(packet: &OnionPacket) -> Option<Box<[u8; ONION_PACKET_LENGTH]>> {
    packet.as_bytes().try_into().ok().map(Box::new)
}
