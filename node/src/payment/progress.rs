//! How a part goes together with what was sent before for the same payment (`lightningd/pay.c:check_progress`).

use super::code;
use super::store::{self, NewPayment, Payment, Status};
use crate::command::params::invalid;
use crate::event::LogLevel;
use crate::state::State;
use leyden_protocol::message::RpcError;

/// How far the same part is.
pub(super) enum Progress {
    /// It has not been sent.
    New,
    /// It is on its way.
    Pending(Payment),
    /// It has arrived.
    Complete(Payment),
}

impl State {
    /// Looks whether a part may be sent.
    ///
    /// # Errors
    /// If it differs from one that was sent, or too much would be on its way.
    pub(super) fn check_progress(&mut self, new: &NewPayment) -> Result<Progress, RpcError> {
        let earlier = store::with_hash(self.stored(), &new.key.payment_hash);
        let (mut pending_msat, mut has_complete) = (0_u64, false);
        for payment in earlier {
            let status = payment.status.name().to_uppercase();
            self.log_main(LogLevel::Debug, &format!("Payment: {}msat {status}", payment.sent.amount_msat));
            let same_part = payment.sent.key.partid == new.key.partid;
            match payment.status {
                Status::Complete => {
                    has_complete = true;
                    if !same_part {
                        continue;
                    }
                    same_terms(&payment, new, "succeeded")?;
                    return Ok(Progress::Complete(payment));
                }
                Status::Pending => {
                    same_attempt(&payment, new)?;
                    if same_part {
                        same_terms(&payment, new, "pending")?;
                        return Ok(Progress::Pending(payment));
                    }
                    same_total(&payment, new)?;
                    pending_msat = pending_msat.saturating_add(payment.sent.amount_msat);
                }
                Status::Failed => {}
            }
            if same_part && payment.sent.key.groupid == new.key.groupid {
                return Err(key_is_used(new));
            }
        }
        let total_msat = new.total_msat;
        if has_complete {
            return Err(used("Already succeeded other parts".to_owned()));
        }
        if total_msat != 0 && pending_msat >= total_msat {
            let text = format!("Already have {pending_msat}msat of {total_msat}msat payments in progress");
            return Err(RpcError::new(code::IN_PROGRESS, text));
        }
        Ok(Progress::New)
    }
}

fn used(text: String) -> RpcError {
    RpcError::new(code::RHASH_ALREADY_USED, text)
}

/// Amount and destination are those of the part that was sent. `how` is how far that is.
fn same_terms(payment: &Payment, new: &NewPayment, how: &str) -> Result<(), RpcError> {
    let (before, now) = (payment.sent.amount_msat, new.amount_msat);
    if before != now {
        return Err(used(format!("Already {how} with amount {before}msat (not {now}msat)")));
    }
    match (payment.sent.destination, new.destination) {
        (Some(before), Some(now)) if before != now => Err(used(format!("Already {how} to {before}"))),
        _ => Ok(()),
    }
}

fn same_attempt(payment: &Payment, new: &NewPayment) -> Result<(), RpcError> {
    let refuse = |text: String| Err(RpcError::new(code::IN_PROGRESS, text));
    let before = &payment.sent.key;
    if before.groupid != new.key.groupid {
        return refuse(format!(
            "Payment with groupid={} still in progress, cannot retry before that completes.",
            before.groupid
        ));
    }
    if (before.partid == 0) != (new.key.partid == 0) {
        let kind = if before.partid == 0 { "non-parallel" } else { "parallel" };
        return refuse(format!("Already have {kind} payment in progress"));
    }
    Ok(())
}

fn same_total(payment: &Payment, new: &NewPayment) -> Result<(), RpcError> {
    let (before, now) = (payment.sent.total_msat, new.total_msat);
    if before == now {
        return Ok(());
    }
    Err(invalid(format!("msatoshi was previously {before}msat, now {now}msat")))
}

fn key_is_used(new: &NewPayment) -> RpcError {
    let (hash, groupid, partid) = (hex::encode(new.key.payment_hash), new.key.groupid, new.key.partid);
    used(format!(
        "There already is a payment with payment_hash={hash}, groupid={groupid}, partid={partid}. Either change the partid, or wait \
         for the payment to complete and start a new group."
    ))
}
