//! The end of HTLCs that this node offered, and what it means for the one that came in, or for the payment
//! (`lightningd/peer_htlcs.c`).

use super::failure::{bare, code_of, malformed, with_update};
use super::forwards::ForwardStatus;
use crate::channel::{HtlcKey, HtlcOrigin, LocalChannel};
use crate::event::LogLevel;
use crate::payment::{NEVER_SENT, PartFailure, PaymentKey};
use crate::state::State;
use bitcoin::hashes::Hash;
use leyden_bolt::channel::{Htlc, Removal};
use leyden_bolt::onion::FailureCode;
use leyden_bolt::transaction::Side;

/// For whom an HTLC was offered.
enum Origin {
    Payment(PaymentKey),
    Forward(HtlcKey),
}

impl State {
    fn origin(&self, outgoing: HtlcKey) -> Option<Origin> {
        Some(match self.htlc_origin(outgoing.dbid, outgoing.id)? {
            HtlcOrigin::Forward(incoming) => Origin::Forward(incoming),
            HtlcOrigin::Payment { payment_hash, partid, groupid } => {
                Origin::Payment(PaymentKey { payment_hash: payment_hash.to_byte_array(), partid, groupid })
            }
        })
    }

    fn channel_source(&self, dbid: u64) -> String {
        self.channels.get(dbid).map_or_else(String::new, LocalChannel::log_source)
    }

    /// The next node has shown the preimage: the one before gets it at once.
    pub(crate) fn htlc_fulfilled(&mut self, dbid: u64, id: u64, preimage: [u8; 32]) {
        let outgoing = HtlcKey { dbid, id, owner: Side::Local };
        match self.origin(outgoing) {
            Some(Origin::Payment(payment)) => self.payment_fulfilled(&payment, preimage),
            Some(Origin::Forward(incoming)) => {
                let abandoned = |htlc: &Htlc| {
                    matches!(htlc.removal, Some(Removal::Fail(_) | Removal::FailMalformed { .. }))
                };
                if self.htlc(incoming).is_some_and(abandoned) {
                    let msat = self.htlc(outgoing).map_or(0, |htlc| htlc.amount_msat);
                    let text = format!(
                        "FUNDS LOSS of {msat}msat: peer took funds onchain before we could time out the HTLC, but \
                         we abandoned incoming HTLC to save the incoming channel"
                    );
                    return self.log_channel(dbid, LogLevel::Broken, &text);
                }
                if !self.is_open(incoming) {
                    return;
                }
                self.remove_incoming(incoming, Removal::Fulfill(preimage));
                self.forwarded(incoming, outgoing, ForwardStatus::Settled, None, Some(preimage));
            }
            None => {}
        }
    }

    /// An HTLC of ours is out of both commitments for good.
    pub(crate) fn htlc_removed(&mut self, dbid: u64, id: u64, removal: Removal) {
        let outgoing = HtlcKey { dbid, id, owner: Side::Local };
        let origin = self.origin(outgoing);
        if matches!(removal, Removal::Fulfill(_)) {
            return self.htlc_sent(outgoing);
        }
        match origin {
            Some(Origin::Payment(payment)) => {
                let failure = match removal {
                    Removal::FailMalformed { sha256_of_onion, failure_code } => {
                        PartFailure::Malformed(malformed(failure_code, &sha256_of_onion))
                    }
                    Removal::Fail(onion) => PartFailure::Onion(onion),
                    Removal::Fulfill(_) => return,
                };
                let source = self.channel_source(dbid);
                self.payment_failed(&payment, &source, failure);
            }
            Some(Origin::Forward(incoming)) => match removal {
                Removal::Fail(onion) => {
                    self.forwarded(incoming, outgoing, ForwardStatus::Failed, None, None);
                    self.pass_failure_back(incoming, onion);
                }
                Removal::FailMalformed { sha256_of_onion, failure_code } => {
                    let code = Some(FailureCode(failure_code));
                    self.forwarded(incoming, outgoing, ForwardStatus::Failed, code, None);
                    self.fail_htlc(incoming, &malformed(failure_code, &sha256_of_onion));
                }
                Removal::Fulfill(_) => {}
            },
            None => {}
        }
    }

    /// An HTLC of ours never got into a commitment: its peer went away first.
    pub(crate) fn htlc_dropped(&mut self, dbid: u64, id: u64) {
        let text = format!("Failing HTLC {id} due to peer death");
        self.log_channel(dbid, LogLevel::Debug, &text);
        let update = self.own_channel_update(dbid);
        let message = with_update(FailureCode::TEMPORARY_CHANNEL_FAILURE, &[], &update);
        self.fail_locally(HtlcKey { dbid, id, owner: Side::Local }, &message, NEVER_SENT);
    }

    /// The chain has settled an HTLC of ours: the peer took it, or it is back. What is said of it first counts.
    pub(crate) fn htlc_resolved_onchain(&mut self, dbid: u64, id: u64, preimage: Option<[u8; 32]>) {
        let message = bare(FailureCode::PERMANENT_CHANNEL_FAILURE);
        if !self.settle_htlc_row(dbid, id, preimage.ok_or(message.as_slice())) {
            return;
        }
        match preimage {
            Some(preimage) => {
                self.count_fulfilled_out(dbid, id);
                self.htlc_fulfilled(dbid, id, preimage);
            }
            None => self.fail_locally(HtlcKey { dbid, id, owner: Side::Local }, &message, "timed out"),
        }
    }

    fn fail_locally(&mut self, outgoing: HtlcKey, message: &[u8], why: &str) {
        match self.origin(outgoing) {
            Some(Origin::Payment(payment)) => {
                let failure = PartFailure::Local { code: code_of(message), why: why.to_owned() };
                let source = self.channel_source(outgoing.dbid);
                self.payment_failed(&payment, &source, failure);
            }
            Some(Origin::Forward(incoming)) if self.is_open(incoming) => {
                let code = Some(code_of(message));
                self.forwarded(incoming, outgoing, ForwardStatus::LocalFailed, code, None);
                self.fail_htlc(incoming, message);
            }
            Some(Origin::Forward(_)) => {}
            None => {}
        }
    }
}
