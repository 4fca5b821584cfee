//! The hook `htlc_accepted`: plugins see each incoming HTLC once both sides are committed to it, and say what becomes of it
//! (`lightningd/peer_htlcs.c`).

use super::answer::{Answer, Dialect, HtlcVerdict};
use super::failure::{bare, invalid_onion_payload};
use crate::channel::HtlcKey;
use crate::event::LogLevel;
use crate::plugin::hook::{FilterKey, Subject, Verdict};
use crate::state::State;
use bitcoin::hashes::{Hash, sha256};
use leyden_bolt::ChannelId;
use leyden_bolt::channel::Removal;
use leyden_bolt::onion::payload::{PayloadError, offset, with_length};
use leyden_bolt::onion::{FailureCode, FailureOnion, OnionPacket, OnionSecret, Payload};
use leyden_bolt::tlv::TlvStream;
use serde_json::{Map, Value, json};

/// An incoming HTLC whose onion is peeled, on its way through the hook.
#[derive(Debug)]
pub(crate) struct HtlcAcceptedCall {
    pub(super) key: HtlcKey,
    pub(super) amount_msat: u64,
    pub(super) cltv_expiry: u32,
    pub(super) payment_hash: sha256::Hash,
    pub(super) shared_secret: OnionSecret,
    pub(super) is_last: bool,
    pub(super) next_onion: OnionPacket,
    /// What the onion says, with its length in front.
    pub(super) layer: Vec<u8>,
    pub(super) payload: Result<Payload, PayloadError>,
    /// The channel through which it would be forwarded.
    pub(super) forward_to: Option<ChannelId>,
    /// Records of `update_add_htlc`. A restart forgets them.
    pub(super) extra_tlvs: Option<TlvStream>,
    /// What a plugin wants the invoice to have asked for.
    pub(super) invoice_msat: Option<u64>,
}

impl State {
    /// Asks the plugins about an HTLC.
    pub(super) fn ask_htlc_accepted(&mut self, call: HtlcAcceptedCall) {
        let subject = Subject::HtlcAccepted(Box::new(call));
        // Each plugin is told something else.
        self.call_hook("htlc_accepted", FilterKey::None, String::new(), None, subject);
    }

    /// What `plugin`, which is asked next, is told.
    pub(crate) fn htlc_accepted_payload(&mut self, call: &HtlcAcceptedCall, plugin: String) -> String {
        self.htlcs.asked.insert(call.key, plugin);
        let profile = self.profile;
        let mut params = Map::new();
        let channel = self.channels.get(call.key.dbid);
        if let Some(channel) = channel.filter(|_| profile.htlc_names_peer()) {
            params.insert("peer_id".to_owned(), channel.peer.to_string().into());
        }
        let mut onion = self.onion_json(call);
        let secrets = [
            ("next_onion", hex::encode(call.next_onion.as_bytes())),
            ("shared_secret", hex::encode(call.shared_secret.0)),
        ];
        let secrets = secrets.map(|(name, value)| (name.to_owned(), Value::from(value)));
        if profile.onion_has_its_secret() {
            onion.extend(secrets);
            params.insert("onion".to_owned(), onion.into());
        } else {
            params.insert("onion".to_owned(), onion.into());
            params.extend(secrets);
        }
        if let Some(id) = call.forward_to.filter(|_| profile.htlc_can_be_redirected()) {
            params.insert("forward_to".to_owned(), id.to_string().into());
        }
        params.insert("htlc".to_owned(), self.htlc_json(call).into());
        Value::from(params).to_string()
    }

    fn onion_json(&self, call: &HtlcAcceptedCall) -> Map<String, Value> {
        let mut json = Map::new();
        let mut add = |name: &str, value: Value| drop(json.insert(name.to_owned(), value));
        add("payload", hex::encode(&call.layer).into());
        let Ok(payload) = &call.payload else { return json };
        add("type", if payload.is_legacy() { "legacy" } else { "tlv" }.into());
        if let Some(channel) = payload.short_channel_id.filter(|_| !call.is_last) {
            add("short_channel_id", channel.to_string().into());
        }
        for (name, value) in
            self.named_amounts(("forward_amount", "forward_msat"), payload.amt_to_forward_msat)
        {
            add(name, value);
        }
        add("outgoing_cltv_value", payload.outgoing_cltv_value.into());
        if let Some(data) = payload.payment_data {
            add("total_msat", self.amount(data.total_msat));
            add("payment_secret", hex::encode(data.payment_secret).into());
        }
        if let Some(metadata) = &payload.payment_metadata {
            add("payment_metadata", hex::encode(metadata).into());
        }
        json
    }

    fn htlc_json(&self, call: &HtlcAcceptedCall) -> Map<String, Value> {
        let mut json = Map::new();
        let mut add = |name: &str, value: Value| drop(json.insert(name.to_owned(), value));
        if self.profile.htlc_names_channel() {
            let channel = self.channels.get(call.key.dbid).map(|channel| channel.scid_or_alias().to_string());
            add("short_channel_id", channel.into());
            add("id", call.key.id.into());
        }
        for (name, value) in self.named_amounts(("amount", "amount_msat"), call.amount_msat) {
            add(name, value);
        }
        add("cltv_expiry", call.cltv_expiry.into());
        let left = i64::from(call.cltv_expiry) - i64::from(self.topology.height());
        add("cltv_expiry_relative", left.into());
        add("payment_hash", call.payment_hash.to_string().into());
        if let Some(tlvs) = call.extra_tlvs.as_ref().filter(|_| self.profile.htlc_has_extra_tlvs()) {
            add("extra_tlvs", hex::encode(tlvs.encode()).into());
        }
        json
    }

    /// An amount under its old name, its new one, or both.
    fn named_amounts(
        &self,
        (old, new): (&'static str, &'static str),
        msat: u64,
    ) -> Vec<(&'static str, Value)> {
        let mut members = Vec::new();
        if self.profile.htlc_has_amount(self.config.allow_deprecated_apis) {
            members.push((old, json!(format!("{msat}msat"))));
        }
        if self.profile.htlc_has_amount_msat() {
            members.push((new, self.amount(msat)));
        }
        members
    }

    /// One plugin's answer.
    pub(crate) fn htlc_accepted_answer(
        &mut self,
        call: &mut HtlcAcceptedCall,
        result: &str,
        response: &str,
    ) -> Verdict {
        let dialect = Dialect { profile: self.profile, deprecated_ok: self.config.allow_deprecated_apis };
        let answer = match Answer::parse(result, response, dialect) {
            Ok(answer) => answer,
            Err(why) => {
                self.fatal(&why);
                return Verdict::Stop;
            }
        };
        let verdict = self.take_modifications(call, answer);
        let key = call.key;
        match verdict {
            HtlcVerdict::Continue => return Verdict::Next,
            HtlcVerdict::Fail(message) => self.fail_htlc(key, &message),
            HtlcVerdict::FailWith { onion, had_message } => {
                if had_message {
                    let text =
                        "Both 'failure_onion' and'failure_message' provided. Ignoring 'failure_message'.";
                    self.log_main(LogLevel::Broken, text);
                }
                let onion = FailureOnion::from(onion).wrap(&call.shared_secret);
                self.remove_incoming(key, Removal::Fail(onion.as_bytes().to_vec()));
            }
            HtlcVerdict::Resolve(preimage) => self.resolve_htlc(call, preimage),
        }
        Verdict::Stop
    }

    fn take_modifications(&mut self, call: &mut HtlcAcceptedCall, answer: Answer) -> HtlcVerdict {
        call.invoice_msat = answer.invoice_msat.or(call.invoice_msat);
        call.forward_to = answer.forward_to.or(call.forward_to);
        if let Some(tlvs) = answer.extra_tlvs {
            call.extra_tlvs = Some(tlvs);
        }
        if let Some(records) = answer.payload {
            call.layer = with_length(&records);
            let known = &self.config.accept_htlc_tlv_types;
            call.payload = Payload::decode_hop(&call.layer, call.is_last, known);
        }
        answer.verdict
    }

    fn resolve_htlc(&mut self, call: &HtlcAcceptedCall, preimage: [u8; 32]) {
        let hash = sha256::Hash::hash(&preimage);
        if hash == call.payment_hash {
            return self.remove_incoming(call.key, Removal::Fulfill(preimage));
        }
        let text = format!(
            "Plugin returned a preimage (sha256({}) = {hash}) that doesn't match the HTLC hash ({}) it tries to resolve.",
            hex::encode(preimage),
            call.payment_hash,
        );
        self.log_channel(call.key.dbid, LogLevel::Broken, &text);
        // lightningd sends the code alone.
        self.fail_htlc(call.key, &bare(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS));
    }

    /// Every plugin let it pass.
    pub(crate) fn htlc_accepted_final(&mut self, call: &HtlcAcceptedCall) {
        self.htlcs.asked.remove(&call.key);
        match &call.payload {
            Err(error) => {
                let position = offset(&call.layer, error.kind());
                let text = format!(
                    "Failing HTLC because of an invalid payload (TLV {} pos {position}): {error}",
                    error.kind()
                );
                self.log_channel(call.key.dbid, LogLevel::Debug, &text);
                self.fail_htlc(call.key, &invalid_onion_payload(error.kind(), position));
            }
            Ok(payload) if call.is_last => self.htlc_for_us(call, payload),
            Ok(payload) => self.forward_htlc(call, payload),
        }
    }
}
