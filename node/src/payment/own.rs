//! Paying an invoice of this node's own (`lightningd/pay.c:self_payment`).

use super::code;
use super::failure::{Failure, RouteFailure};
use super::store::{self, NewPayment, Payment};
use crate::command::invoice::Paying;
use crate::command::params::invalid;
use crate::event::LogLevel;
use crate::state::State;
use leyden_bolt::onion::FailureCode;
use leyden_protocol::message::RpcError;

impl State {
    /// Pays an invoice of this node, at once.
    ///
    /// # Errors
    /// If there is no such invoice, or it asks for something else. That is stored as a payment that failed.
    pub(super) fn pay_myself(
        &mut self,
        new: NewPayment,
        payment_secret: Option<&[u8; 32]>,
    ) -> Result<Payment, RpcError> {
        let key = new.key;
        if store::find(self.stored(), &key).is_some() {
            // v26.06.6 aborts here.
            return Err(invalid(format!("There already is a payment {key}: choose another groupid")));
        }
        let total_msat = new.amount_msat;
        let mut payment = self.add_payment(new);
        let paying = Paying { total_msat, payment_secret: payment_secret.copied(), invoice_msat: None };
        let invoice = match self.payable_invoice(&key.payment_hash, &paying) {
            Ok(invoice) => invoice,
            Err(why) => {
                let as_it_was = payment.clone();
                let failure = RouteFailure {
                    erring_index: 0,
                    code: FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS,
                    erring_node: Some(self.node_id),
                    erring_channel: None,
                    message: None,
                };
                self.fail_payment(&mut payment, Ok((&failure, &why)), true);
                let failure =
                    Failure::Known { failure, code: code::DESTINATION_PERM_FAIL, detail: why.clone() };
                self.tell_failure(&as_it_was, &failure);
                return Err(RpcError { message: why, ..failure.error(self, Some(&as_it_was)) });
            }
        };
        self.resolve_invoice(invoice.created_index, total_msat);
        let text = format!("Self-resolved invoice '{}' with amount {total_msat}msat", invoice.label);
        self.log_main(LogLevel::Info, &text);
        self.notify_of_invoice("invoice_payment", &invoice.label, &invoice.preimage, Some(total_msat));
        self.payment_fulfilled(&key, invoice.preimage);
        Ok(store::find(self.stored(), &key).unwrap_or(payment))
    }
}
