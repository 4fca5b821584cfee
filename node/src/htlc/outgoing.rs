//! The end of HTLCs that this node offered, and what it means for the one that came in, or for the payment
//! (`lightningd/peer_htlcs.c`).

use super::failure::{bare, code_of, malformed, with_update};
use super::forwards::ForwardStatus;
use crate::channel::{HtlcKey, HtlcOrigin, LocalChannel};
use crate::event::LogLevel;
use crate::payment::{NEVER_SENT, PartFailure, PaymentKey};
use crate::state::State;
use bitcoin::hashes::{Hash, sha256};
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

    /// The next node has failed it, which is news; the one before hears of it when nothing can change that any more.
    pub(crate) fn htlc_failed(&mut self, dbid: u64, id: u64, removal: &Removal) {
        let outgoing = HtlcKey { dbid, id, owner: Side::Local };
        let code = match removal {
            Removal::FailMalformed { failure_code, .. } => Some(FailureCode(*failure_code)),
            _ => None,
        };
        if let Some(Origin::Forward(incoming)) = self.origin(outgoing) {
            self.forwarded(incoming, outgoing, ForwardStatus::Failed, code, None);
        }
    }

    /// An HTLC of ours is out of both commitments for good.
    pub(crate) fn htlc_removed(&mut self, dbid: u64, id: u64, removal: Removal) {
        let outgoing = HtlcKey { dbid, id, owner: Side::Local };
        if matches!(removal, Removal::Fulfill(_)) {
            return self.htlc_sent(outgoing);
        }
        match self.origin(outgoing) {
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
                Removal::Fail(onion) => self.pass_failure_back(incoming, onion),
                Removal::FailMalformed { sha256_of_onion, failure_code } => {
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

    /// The chain has shown a preimage. HTLCs cannot be told apart there: all with its hash that have no end yet are paid
    /// (`onchain_fulfilled_htlc`).
    pub(crate) fn htlcs_fulfilled_onchain(&mut self, dbid: u64, preimage: [u8; 32]) {
        let payment_hash = sha256::Hash::hash(&preimage);
        let Some(channel) = self.channels.get(dbid) else { return };
        let is_paid = |htlc: &&Htlc| {
            htlc.owner == Side::Local && htlc.payment_hash == payment_hash && failed_by_peer(htlc).is_none()
        };
        let ids: Vec<u64> = channel.bolt.htlcs().filter(is_paid).map(|htlc| htlc.id).collect();
        for id in ids {
            if self.settle_htlc_row(dbid, id, Ok(preimage)) {
                self.count_fulfilled_out(dbid, id);
                self.htlc_fulfilled(dbid, id, preimage);
            }
        }
    }

    /// The chain gives an HTLC of ours back: it timed out there, or has no output. What the peer had said of it before counts
    /// (`onchain_failed_our_htlc`).
    pub(crate) fn htlc_failed_onchain(&mut self, dbid: u64, id: u64) {
        let outgoing = HtlcKey { dbid, id, owner: Side::Local };
        if let Some(removal) = self.htlc(outgoing).and_then(failed_by_peer).cloned() {
            // The chain says it again after a start.
            let is_news = match self.origin(outgoing) {
                Some(Origin::Forward(incoming)) => self.is_open(incoming),
                Some(Origin::Payment(payment)) => self.is_pending(&payment),
                None => false,
            };
            if is_news {
                let text = format!("HTLC out {id} can now fail HTLC upstream!");
                self.log_channel(dbid, LogLevel::Debug, &text);
                self.htlc_removed(dbid, id, removal);
            }
            return;
        }
        let message = bare(FailureCode::PERMANENT_CHANNEL_FAILURE);
        if self.settle_htlc_row(dbid, id, Err(&message)) {
            self.fail_locally(outgoing, &message, "timed out");
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

/// How the peer failed an HTLC of ours, if our commitment is without it because of that.
fn failed_by_peer(htlc: &Htlc) -> Option<&Removal> {
    let failed = |removal: &&Removal| !matches!(removal, Removal::Fulfill(_));
    htlc.removal.as_ref().filter(failed).filter(|_| htlc.state.is_removed(Side::Local))
}
