//! Incoming HTLCs, from the moment at which both sides are committed to them: what their onion says, and how they end
//! (`lightningd/peer_htlcs.c:peer_accepted_htlc`).

use super::failure::bare;
use super::forwards::Style;
use super::hook::HtlcAcceptedCall;
use crate::channel::{HtlcKey, LocalChannel};
use crate::event::LogLevel;
use crate::state::State;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::channel::{Htlc, HtlcState, Removal};
use leyden_bolt::onion::packet::PeelError;
use leyden_bolt::onion::{FailureCode, FailureOnion, OnionPacket, OnionSecret, Payload, Peeled};
use leyden_bolt::transaction::Side;
use std::ops::Range;

/// Where a packet has its key.
const EPHEMERAL_KEY: Range<usize> = 1..34;

impl State {
    /// An incoming HTLC is irrevocably committed. One that is refused before anybody was asked is noted as a forward, whatever it was.
    pub(crate) fn htlc_committed(&mut self, dbid: u64, id: u64) {
        let key = HtlcKey { dbid, id, owner: Side::Remote };
        if let Some(code) = self.accept_htlc(key) {
            self.refused_unseen(key, code);
        }
    }

    /// Asks plugins about an HTLC, unless it is to be failed anyhow. Says with what it was failed.
    pub(super) fn accept_htlc(&mut self, key: HtlcKey) -> Option<FailureCode> {
        let htlc = self.htlc(key).cloned()?;
        if htlc.fail_immediate {
            self.log_channel(key.dbid, LogLevel::Debug, "failing immediately, as requested");
            return Some(self.refuse_htlc(key, FailureCode::TEMPORARY_NODE_FAILURE));
        }
        let peer = self.channels.get(key.dbid).map(|channel| channel.peer);
        if peer.is_some_and(|peer| self.htlcs.ignored.contains(&peer)) {
            let text = format!("their htlc {} dev_ignore_htlcs", key.id);
            self.log_channel(key.dbid, LogLevel::Debug, &text);
            return None;
        }
        if !self.channels.get(key.dbid).is_some_and(|channel| channel.state.can_add_htlc()) {
            let text = format!("Rejecting their htlc {} since we're shutting down", key.id);
            self.log_channel(key.dbid, LogLevel::Debug, &text);
            return Some(self.refuse_htlc(key, FailureCode::PERMANENT_CHANNEL_FAILURE));
        }
        match self.peel(&htlc) {
            Ok(peeled) => {
                self.peeled(key, &htlc, peeled);
                None
            }
            Err(error) => Some(self.refuse_onion(key, &htlc, error)),
        }
    }

    /// An HTLC that is not gone for good.
    pub(super) fn htlc(&self, key: HtlcKey) -> Option<&Htlc> {
        self.channels.get(key.dbid)?.bolt.htlc(key.owner, key.id)
    }

    /// Logs a line about a channel.
    pub(super) fn log_channel(&mut self, dbid: u64, level: LogLevel, text: &str) {
        if let Some(source) = self.channels.get(dbid).map(LocalChannel::log_source) {
            self.log(level, &source, text);
        }
    }

    /// The secret that an HTLC's failure is encrypted with.
    pub(crate) fn shared_secret(&self, htlc: &Htlc) -> Option<OnionSecret> {
        let ephemeral = htlc.onion.get(EPHEMERAL_KEY).and_then(|key| PublicKey::from_slice(key).ok())?;
        Some(OnionSecret::new(&ephemeral, &self.node_key))
    }

    fn peel(&self, htlc: &Htlc) -> Result<Peeled, PeelError> {
        let (packet, hash) = (OnionPacket::from(htlc.onion.to_vec()), htlc.payment_hash.as_byte_array());
        if self.profile.knows_legacy_onions() {
            packet.peel_legacy(&self.node_key, hash)
        } else {
            packet.peel(&self.node_key, hash)
        }
    }

    /// The kind of payload that an HTLC has for this node. Only old releases know more than one.
    pub(super) fn forward_style(&self, key: HtlcKey) -> Style {
        if !self.profile.knows_legacy_onions() {
            return Style::Tlv;
        }
        let Some(peeled) = self.htlc(key).and_then(|htlc| self.peel(htlc).ok()) else {
            return Style::Unknown;
        };
        match Payload::decode_hop(&peeled.payload, peeled.is_last, &self.config.accept_htlc_tlv_types) {
            Ok(payload) if payload.is_legacy() => Style::Legacy,
            _ => Style::Tlv,
        }
    }

    fn peeled(&mut self, key: HtlcKey, htlc: &Htlc, peeled: Peeled) {
        let layer = self.accept_keysend(htlc, &peeled).unwrap_or(peeled.payload);
        let payload = Payload::decode_hop(&layer, peeled.is_last, &self.config.accept_htlc_tlv_types);
        let forward_to = match &payload {
            Ok(payload) if !peeled.is_last => self.forwarding_channel(key, payload),
            _ => None,
        };
        let has_tlvs = htlc.tlvs.iter().next().is_some();
        self.ask_htlc_accepted(HtlcAcceptedCall {
            key,
            amount_msat: htlc.amount_msat,
            cltv_expiry: htlc.cltv_expiry,
            payment_hash: htlc.payment_hash,
            shared_secret: peeled.shared_secret,
            is_last: peeled.is_last,
            next_onion: peeled.next,
            layer,
            payload,
            forward_to,
            extra_tlvs: has_tlvs.then(|| htlc.tlvs.clone()),
            invoice_msat: None,
        });
    }

    /// The onion is none, or not for this node: the peer is told which one.
    fn refuse_onion(&mut self, key: HtlcKey, htlc: &Htlc, error: PeelError) -> FailureCode {
        let code = match error {
            PeelError::Version => FailureCode::INVALID_ONION_VERSION,
            PeelError::Key => FailureCode::INVALID_ONION_KEY,
            // lightningd calls a payload of no length the same.
            PeelError::Hmac | PeelError::Payload { .. } => FailureCode::INVALID_ONION_HMAC,
        };
        let text = format!("Rejecting their htlc {} since onion is unprocessable: {error}", key.id);
        self.log_channel(key.dbid, LogLevel::Debug, &text);
        let sha256_of_onion = sha256::Hash::hash(&htlc.onion[..]).to_byte_array();
        self.remove_incoming(key, Removal::FailMalformed { sha256_of_onion, failure_code: code.0 });
        code
    }

    fn refuse_htlc(&mut self, key: HtlcKey, code: FailureCode) -> FailureCode {
        self.fail_htlc(key, &bare(code));
        code
    }

    /// Fails an incoming HTLC with a message of ours (`local_fail_in_htlc`).
    pub(super) fn fail_htlc(&mut self, key: HtlcKey, message: &[u8]) {
        let Some(secret) = self.htlc(key).and_then(|htlc| self.shared_secret(htlc)) else {
            return self.log_channel(key.dbid, LogLevel::Debug, "HTLC to be failed is gone");
        };
        let onion = FailureOnion::create(&secret, message);
        self.remove_incoming(key, Removal::Fail(onion.as_bytes().to_vec()));
    }

    /// Hands on the failure of the next node (`fail_in_htlc`).
    pub(super) fn pass_failure_back(&mut self, key: HtlcKey, onion: Vec<u8>) {
        let Some(secret) = self.htlc(key).and_then(|htlc| self.shared_secret(htlc)) else { return };
        let onion = FailureOnion::from(onion).wrap(&secret);
        self.remove_incoming(key, Removal::Fail(onion.as_bytes().to_vec()));
    }

    /// Whether an incoming HTLC has no end yet.
    pub(super) fn is_open(&self, key: HtlcKey) -> bool {
        let open = |htlc: &Htlc| htlc.removal.is_none() && htlc.state == HtlcState::RcvdAddAckRevocation;
        self.htlc(key).is_some_and(open)
    }

    /// Ends an incoming HTLC, unless it has an end already.
    pub(super) fn remove_incoming(&mut self, key: HtlcKey, removal: Removal) {
        if self.is_open(key) {
            self.settle_htlc(key.dbid, key.id, removal);
        } else if matches!(removal, Removal::Fulfill(_)) {
            self.log_channel(key.dbid, LogLevel::Debug, "HTLC fulfilled, but not ready any more.");
        }
    }
}
