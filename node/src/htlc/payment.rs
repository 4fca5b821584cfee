//! HTLCs that end here: what they must be, the set that they wait in, and the hook `invoice_payment`, which is asked once all
//! of a payment is there (`lightningd/peer_htlcs.c:handle_localpay`, `lightningd/htlc_set.c`, `lightningd/invoice.c`).

use super::failure::{
    FailureMessage, bare, code_of, final_incorrect_cltv_expiry, final_incorrect_htlc_amount,
    incorrect_or_unknown, invalid_onion_payload, wire_name,
};
use super::hook::HtlcAcceptedCall;
use super::refusal::Refusal;
use super::set::{Added, HtlcSet, Part, SET_TIMEOUT};
use crate::channel::HtlcKey;
use crate::command::invoice::Paying;
use crate::event::LogLevel;
use crate::input::Timer;
use crate::output::Output;
use crate::plugin::hook::{FilterKey, Subject, Verdict};
use crate::state::State;
use bitcoin::hashes::Hash;
use leyden_bolt::channel::Removal;
use leyden_bolt::onion::payload::KNOWN;
use leyden_bolt::onion::{FailureCode, Payload};
use leyden_bolt::tlv::TlvStream;
use leyden_protocol::json;
use serde_json::{Map, Value, json};

/// The record that invoices with metadata ask for; this node writes none.
const PAYMENT_METADATA: u64 = 16;

/// A payment that is all there, on its way through the hook `invoice_payment`.
#[derive(Debug)]
pub(crate) struct InvoicePaymentCall {
    /// The set's number. It may be gone when the plugins have answered.
    set: u64,
    /// `created_index` of the invoice.
    invoice: i64,
    /// With its JSON escapes.
    label: String,
    preimage: [u8; 32],
    msat: u64,
}

impl State {
    /// An HTLC whose onion ends here.
    pub(super) fn htlc_for_us(&mut self, call: &HtlcAcceptedCall, payload: &Payload) {
        if let Err(message) = self.check_last_hop(call, payload) {
            return self.fail_htlc(call.key, &message);
        }
        let paying = Paying {
            total_msat: payload.total_msat(),
            payment_secret: payload.payment_data.map(|data| data.payment_secret),
            invoice_msat: call.invoice_msat,
        };
        let payment_hash = call.payment_hash.to_byte_array();
        let invoice = match self.payable_invoice(&payment_hash, &paying) {
            Ok(invoice) => invoice,
            Err(why) => {
                self.log_channel(call.key.dbid, LogLevel::Debug, &format!("payment failed: {why}"));
                return self.fail_unknown(call.key, call.amount_msat);
            }
        };
        let part = Part {
            key: call.key,
            payment_hash,
            amount_msat: call.amount_msat,
            total_msat: paying.total_msat,
            has_secret: paying.payment_secret.is_some(),
        };
        let added = self.htlcs.sets.add(&part, &payload.tlvs);
        if let Some(set) = self.htlcs.sets.get(&payment_hash).filter(|set| set.parts.contains(&call.key)) {
            let text = format!(
                "HTLC set contains {} HTLCs, for a total of {}msat out of {}msat ({}payment_secret)",
                set.parts.len(),
                set.so_far_msat,
                set.total_msat,
                if part.has_secret { "" } else { "no " },
            );
            self.log_main(LogLevel::Debug, &text);
        }
        match added {
            Added::Waiting { begun } => {
                if let Some(number) = begun {
                    self.out.push(Output::SetTimer(Timer::HtlcSet(number), SET_TIMEOUT));
                }
            }
            Added::Complete { number, msat } => {
                self.out.push(Output::CancelTimer(Timer::HtlcSet(number)));
                self.ask_invoice_payment(InvoicePaymentCall {
                    set: number,
                    invoice: invoice.created_index,
                    label: invoice.label,
                    preimage: invoice.preimage,
                    msat,
                });
            }
            Added::Refused => {
                let text = "Missing payment_secret, but required for MPP";
                self.log_channel(call.key.dbid, LogLevel::Debug, text);
                self.fail_unknown(call.key, call.amount_msat);
            }
            Added::Unsecured(set) => self.fail_set(&set, None),
            Added::Disagreed(set) => {
                let text = format!(
                    "Failing HTLC set {}: total_msat {}msat new htlc total {}msat",
                    call.payment_hash, set.total_msat, part.total_msat
                );
                self.log_channel(call.key.dbid, LogLevel::Unusual, &text);
                self.fail_set(&set, Some(&final_incorrect_htlc_amount(call.amount_msat)));
            }
        }
    }

    /// What the last hop of any payment must be, in lightningd's order.
    fn check_last_hop(&mut self, call: &HtlcAcceptedCall, payload: &Payload) -> Result<(), FailureMessage> {
        let (amount, cltv_expiry) = (call.amount_msat, call.cltv_expiry);
        let (key, wanted) = (call.key, payload.amt_to_forward_msat);
        if amount < wanted {
            let text =
                format!("HTLC {} final incorrect amount: {amount}msat in, {wanted}msat expected", key.id);
            self.log_channel(key.dbid, LogLevel::Debug, &text);
            return Err(final_incorrect_htlc_amount(amount));
        }
        if cltv_expiry == 0 || cltv_expiry < payload.outgoing_cltv_value {
            let text = format!(
                "HTLC {} incorrect CLTV: {cltv_expiry} in, {} out, delta reqd 0",
                key.id, payload.outgoing_cltv_value
            );
            self.log_channel(key.dbid, LogLevel::Debug, &text);
            return Err(final_incorrect_cltv_expiry(cltv_expiry));
        }
        let (height, cltv_final) = (self.topology.height(), self.config.channels.cltv_final);
        if u64::from(height) + u64::from(cltv_final) > u64::from(cltv_expiry) {
            let text = format!("Expiry cltv too soon {cltv_expiry} < {height} + {cltv_final}");
            self.log_channel(key.dbid, LogLevel::Debug, &text);
            return Err(incorrect_or_unknown(amount, height));
        }
        if let Some(metadata) = &payload.payment_metadata {
            let text = format!("Unexpected payment_metadata {}", hex::encode(metadata));
            self.log_channel(key.dbid, LogLevel::Debug, &text);
            return Err(invalid_onion_payload(PAYMENT_METADATA, 0));
        }
        Ok(())
    }

    fn fail_unknown(&mut self, key: HtlcKey, amount_msat: u64) {
        self.fail_htlc(key, &incorrect_or_unknown(amount_msat, self.topology.height()));
    }

    /// Fails every part of a payment: with a message, or each with `incorrect_or_unknown_payment_details`.
    fn fail_set(&mut self, set: &HtlcSet, message: Option<&FailureMessage>) {
        for key in &set.parts {
            let amount = self.htlc(*key).map_or(0, |htlc| htlc.amount_msat);
            let message =
                message.cloned().unwrap_or_else(|| incorrect_or_unknown(amount, self.topology.height()));
            let text = format!("failing with {}", wire_name(code_of(&message)));
            self.log_channel(key.dbid, LogLevel::Debug, &text);
            self.fail_htlc(*key, &message);
        }
    }

    /// The other parts of a payment have not come.
    pub(crate) fn htlc_set_timeout(&mut self, number: u64) {
        if let Some(set) = self.htlcs.sets.take(number) {
            self.fail_set(&set, Some(&bare(FailureCode::MPP_TIMEOUT)));
        }
    }

    fn ask_invoice_payment(&mut self, call: InvoicePaymentCall) {
        let mut payment = Map::new();
        let label = json::string(&format!("\"{}\"", call.label)).unwrap_or_else(|| call.label.clone());
        payment.insert("label".to_owned(), label.into());
        payment.insert("preimage".to_owned(), hex::encode(call.preimage).into());
        payment.insert("msat".to_owned(), self.profile.invoice_msat(call.msat));
        if self.config.developer && self.profile.invoice_payment_has_extra_tlvs() {
            let records = self.htlcs.sets.numbered(call.set).map(|set| extra_tlvs(&set.records));
            payment.insert("extratlvs".to_owned(), records.unwrap_or_default().into());
        }
        let payload = json!({ "payment": payment }).to_string();
        let subject = Subject::InvoicePayment(Box::new(call));
        self.call_hook("invoice_payment", FilterKey::None, payload, None, subject);
    }

    /// One plugin's answer.
    pub(crate) fn invoice_payment_answer(&mut self, call: &InvoicePaymentCall, result: &str) -> Verdict {
        if self.htlcs.sets.numbered(call.set).is_none() {
            let text = format!("invoice '{}' paying htlc_in has gone!", call.label);
            self.log_main(LogLevel::Debug, &text);
            return Verdict::Stop;
        }
        let deprecated_ok = self.config.allow_deprecated_apis;
        let refusal = match Refusal::parse(result, self.profile, deprecated_ok) {
            Ok(None) => return Verdict::Next,
            Ok(Some(refusal)) => refusal,
            Err(why) => {
                self.fatal(&why);
                return Verdict::Stop;
            }
        };
        if let Refusal::Unexplained(text) = &refusal {
            self.log_main(LogLevel::Unusual, text);
        }
        let set = self.htlcs.sets.take(call.set).expect("it has just been looked for");
        self.fail_set(&set, refusal.message().as_ref());
        Verdict::Stop
    }

    /// Every plugin let it pass.
    pub(crate) fn invoice_payment_final(&mut self, call: &InvoicePaymentCall) {
        let Some(set) = self.htlcs.sets.take(call.set) else { return };
        if !self.resolve_invoice(call.invoice, call.msat) {
            return self.fail_set(&set, None);
        }
        let text = format!(
            "Resolved invoice '{}' with amount {}msat in {} htlcs",
            call.label,
            call.msat,
            set.parts.len()
        );
        self.log_main(LogLevel::Info, &text);
        for key in &set.parts {
            self.remove_incoming(*key, Removal::Fulfill(call.preimage));
        }
        self.notify_of_invoice("invoice_payment", &call.label, &call.preimage, Some(call.msat));
    }
}

/// The records that the node does not know.
fn extra_tlvs(records: &TlvStream) -> Vec<Value> {
    let unknown = records.iter().filter(|(kind, _)| !KNOWN.contains(kind));
    unknown
        .map(|(kind, value)| json!({ "type": kind, "length": value.len(), "value": hex::encode(value) }))
        .collect()
}
