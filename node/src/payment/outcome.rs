//! What becomes of a part that is on its way (`lightningd/pay.c:payment_succeeded`, `payment_failed`).

use super::PaymentKey;
use super::code;
use super::failure::{Failure, RouteFailure, direction, wire_name};
use super::show::payment_fields;
use super::store::{self, Payment, Route, Status};
use crate::event::LogLevel;
use crate::state::State;
use leyden_bolt::onion::failure::Attributed;
use leyden_bolt::onion::{FailureCode, FailureOnion};
use serde_json::json;

/// What an HTLC of ours failed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PartFailure {
    /// `update_fail_htlc`: its `reason`.
    Onion(Vec<u8>),
    /// `update_fail_malformed_htlc`: its code and hash, as the message that they stand for.
    Malformed(Vec<u8>),
    /// This node could not send it, or had to resolve it on the chain.
    Local {
        code: FailureCode,
        /// What a client is told of it, without the code.
        why: String,
    },
}

/// Why an HTLC fails that its channel had not committed to when it lost its peer.
pub(crate) const NEVER_SENT: &str = "Outgoing subdaemon died";

impl State {
    /// The preimage of a part has come: as soon as it did, not only when the HTLC is gone.
    pub(crate) fn payment_fulfilled(&mut self, key: &PaymentKey, preimage: [u8; 32]) {
        let Some(mut payment) = store::find(self.stored(), key) else { return self.unknown_part(key) };
        self.complete_payment(&mut payment, preimage);
        for client in self.sendpay_waiters.take(key) {
            let fields = payment_fields(self, &payment);
            self.reply(&client, &fields);
        }
        let fields = payment_fields(self, &payment);
        self.notify("sendpay_success", fields.into());
        self.planned_fulfilled(key, preimage);
    }

    /// A part has failed, and its HTLC, if there was one, is irrevocably gone. `log_source` is that of the channel.
    pub(crate) fn payment_failed(&mut self, key: &PaymentKey, log_source: &str, failure: PartFailure) {
        let Some(mut payment) = store::find(self.stored(), key) else { return self.unknown_part(key) };
        let raw = failure.clone();
        let failure = self.explain_failure(log_source, &payment.sent.route, failure);
        // Who waits is told of the payment as it was.
        let as_it_was = payment.clone();
        let is_final = failure.code() == code::DESTINATION_PERM_FAIL;
        match &failure {
            Failure::Unreadable(onion) => self.fail_payment(&mut payment, Err(onion), is_final),
            Failure::Known { failure, detail, .. } => {
                self.fail_payment(&mut payment, Ok((failure, detail)), is_final);
            }
        }
        self.tell_failure(&as_it_was, &failure);
        self.planned_failed(key, &failure.text(), &raw);
    }

    /// Whether a part has no end yet.
    pub(crate) fn is_pending(&self, key: &PaymentKey) -> bool {
        store::find(self.stored(), key).is_some_and(|payment| payment.status == Status::Pending)
    }

    /// After a start: parts whose HTLC no commitment had yet when the node ended were never said to the peer, as after any
    /// disconnection.
    pub(crate) fn fail_unsent_payments(&mut self) {
        for payment in store::unsent(self.stored()) {
            let failure = PartFailure::Local {
                code: FailureCode::TEMPORARY_CHANNEL_FAILURE,
                why: NEVER_SENT.to_owned(),
            };
            self.payment_failed(&payment.sent.key, "lightningd", failure);
        }
    }

    /// Tells who waits for a part, and plugins.
    pub(super) fn tell_failure(&mut self, payment: &Payment, failure: &Failure) {
        for client in self.sendpay_waiters.take(&payment.sent.key) {
            let error = failure.error(self, Some(payment));
            self.reply_error(&client, &error);
        }
        let data = failure.data(self, Some(payment));
        let fields = json!({ "code": failure.code(), "message": failure.text(), "data": data });
        self.notify("sendpay_failure", fields);
    }

    fn unknown_part(&mut self, key: &PaymentKey) {
        self.log_main(LogLevel::Unusual, &format!("No payment for {key}: it was deleted"));
    }

    fn explain_failure(&mut self, log_source: &str, route: &Route, failure: PartFailure) -> Failure {
        match failure {
            PartFailure::Local { code, why } => {
                let name = wire_name(code);
                self.log(LogLevel::Debug, log_source, &format!("local_routing_failure: {} ({name})", code.0));
                let failure = self.local_failure(route, code);
                Failure::Known { failure, code: code::TRY_OTHER_ROUTE, detail: format!("{name}: {why}") }
            }
            PartFailure::Malformed(message) => {
                let attributed = Attributed { erring_hop: 0, message };
                self.remote_failure(log_source, route, attributed, "local failure")
            }
            // Only who made the onion can read it.
            PartFailure::Onion(onion) if route.secrets.is_empty() => Failure::Unreadable(onion),
            PartFailure::Onion(onion) => {
                let onion = FailureOnion::from(onion);
                match onion.attribute(&route.secrets).filter(|failure| failure.code().is_some()) {
                    Some(attributed) => {
                        self.remote_failure(log_source, route, attributed, "reply from remote")
                    }
                    None => {
                        let hex = hex::encode(onion.as_bytes());
                        let text = format!("htlc failed with bad reply ({hex})");
                        self.log(LogLevel::Info, log_source, &text);
                        Failure::Unreadable(onion.as_bytes().to_vec())
                    }
                }
            }
        }
    }

    fn local_failure(&self, route: &Route, code: FailureCode) -> RouteFailure {
        let first = route.channels.first().zip(route.nodes.first());
        RouteFailure {
            erring_index: 0,
            code,
            erring_node: Some(self.node_id),
            erring_channel: first.map(|(channel, node)| (*channel, direction(&self.node_id, node))),
            message: None,
        }
    }

    fn remote_failure(
        &mut self,
        log_source: &str,
        route: &Route,
        attributed: Attributed,
        detail: &str,
    ) -> Failure {
        let failcode = attributed.code().unwrap_or(FailureCode(0));
        let Attributed { erring_hop, message } = attributed;
        let name = wire_name(failcode);
        let text = format!("htlc failed from {erring_hop}ith node with code 0x{:04x} ({name})", failcode.0);
        self.log(LogLevel::Info, log_source, &text);

        let is_last = erring_hop + 1 == route.nodes.len();
        let is_bad_onion = failcode.0 & FailureCode::BADONION != 0;
        // The last node can only have failed because of its own channel, others because of the next one.
        let blamed = if is_last { erring_hop } else { erring_hop + 1 };
        let from = blamed.checked_sub(1).map_or(Some(&self.node_id), |before| route.nodes.get(before));
        let channel = route.channels.get(blamed).zip(from.zip(route.nodes.get(blamed)));
        let erring_node = if is_bad_onion { blamed } else { erring_hop };
        let code = match (is_last, is_bad_onion) {
            (true, true) => code::UNPARSEABLE_ONION,
            (true, false) if failcode.0 & FailureCode::PERM != 0 => code::DESTINATION_PERM_FAIL,
            _ => code::TRY_OTHER_ROUTE,
        };
        let failure = RouteFailure {
            erring_index: u32::try_from(erring_hop + 1).expect("a route is shorter than that"),
            code: failcode,
            erring_node: route.nodes.get(erring_node).copied(),
            erring_channel: channel.map(|(channel, (from, to))| (*channel, direction(from, to))),
            message: Some(message),
        };
        Failure::Known { failure, code, detail: detail.to_owned() }
    }
}
