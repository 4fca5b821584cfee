//! Payments that this node makes (`lightningd/pay.c`).
//!
//! | module | subject |
//! |---|---|
//! | [`store`], [`show`] | the table `payments`; a payment as every command shows it |
//! | [`code`], [`failure`] | error codes; what is known of a failure, and how it is told |
//! | [`createonion`] | `createonion` |
//! | [`sendpay`], [`sendonion`] | what they are called |
//! | [`send`], [`progress`] | sending a part; how it goes together with what was sent before |
//! | [`own`] | paying an invoice of this node's own |
//! | [`outcome`] | what becomes of a payment: rows, waiters, `sendpay_success`, `sendpay_failure` |
//! | [`waitsendpay`], [`listsendpays`], [`listpays`], [`delpay`] | what they are called |
//! | [`plan`] | payments that this node finds the way for |
//! | [`xpay`], [`pay`], [`keysend`] | the commands that do so |
//! | [`redirect`] | how `pay` becomes `xpay-as-pay` |
//! | [`preapprove`] | `preapproveinvoice`, `preapprovekeysend` |

mod code;
pub(crate) mod createonion;
pub(crate) mod delpay;
mod failure;
pub(crate) mod keysend;
pub(crate) mod listpays;
pub(crate) mod listsendpays;
mod outcome;
mod own;
pub(crate) mod pay;
mod plan;
pub(crate) mod preapprove;
mod progress;
mod redirect;
mod send;
pub(crate) mod sendonion;
pub(crate) mod sendpay;
mod show;
mod store;
pub(crate) mod waitsendpay;
pub(crate) mod xpay;

use bitcoin::hex::DisplayHex;
use std::fmt;

pub(crate) use outcome::{NEVER_SENT, PartFailure};
pub(crate) use plan::Plans;
pub(crate) use waitsendpay::SendpayWaiters;

/// Which payment, which attempt at it, and which part of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PaymentKey {
    pub(crate) payment_hash: [u8; 32],
    /// 0 if it is not in parts.
    pub(crate) partid: u64,
    /// Attempts at the same invoice are told apart by it.
    pub(crate) groupid: u64,
}

impl fmt::Display for PaymentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.payment_hash.as_hex(), self.partid, self.groupid)
    }
}
