//! Paying an invoice: whether a payment is right for it, and what follows (`lightningd/invoice.c:invoice_check_payment`,
//! `wallet/invoices.c:invoices_resolve`).

use super::list::unescaped;
use super::store::{self, Status, StoredInvoice};
use crate::state::State;
use leyden_bolt::features::bit;
use leyden_bolt::invoice::payment_secret;
use serde_json::Map;

/// What a payment says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paying {
    /// All parts together.
    pub(crate) total_msat: u64,
    pub(crate) payment_secret: Option<[u8; 32]>,
    /// What a plugin wants the invoice to have asked for.
    pub(crate) invoice_msat: Option<u64>,
}

impl State {
    /// The unpaid invoice that a payment is for.
    ///
    /// # Errors
    /// What is wrong with the payment, for the log: the payer is not told.
    pub(crate) fn payable_invoice(
        &mut self,
        payment_hash: &[u8; 32],
        paying: &Paying,
    ) -> Result<StoredInvoice, String> {
        self.expire_invoices();
        let hash = hex::encode(payment_hash);
        let invoice = store::with_hash(self.stored(), payment_hash);
        let invoice = invoice.ok_or_else(|| format!("Unknown invoice {hash}"))?;
        if invoice.status != Status::Unpaid {
            return Err(format!("Already paid or expired invoice {hash}"));
        }
        paying.check(&invoice, &hash).map(|()| invoice)
    }

    /// Whether an invoice has this label, given with its JSON escapes.
    pub(crate) fn has_label(&self, label: &str) -> bool {
        store::exists(self.stored(), "label", &label)
    }

    /// Notes that an invoice is paid, and tells who waits for it. False if it has been deleted, expired or paid meanwhile.
    pub(crate) fn resolve_invoice(&mut self, created_index: i64, received_msat: u64) -> bool {
        self.expire_invoices();
        let invoice = store::numbered(self.stored(), created_index);
        let Some(invoice) = invoice.filter(|invoice| invoice.status == Status::Unpaid) else { return false };
        self.mark_invoice_paid(&invoice, received_msat);
        self.tell_waiters_paid(created_index);
        true
    }

    /// Tells of an invoice: `topic` is `invoice_creation` or `invoice_payment`. The label has its JSON escapes.
    pub(crate) fn notify_of_invoice(
        &mut self,
        topic: &str,
        label: &str,
        preimage: &[u8; 32],
        msat: Option<u64>,
    ) {
        let member = |name| match name {
            "msat" => msat.map(|msat| self.profile.invoice_msat(msat)),
            "preimage" => Some(hex::encode(preimage).into()),
            _ => Some(unescaped(label).into()),
        };
        let members = self.profile.invoice_notification_members();
        let fields: Map<_, _> =
            members.into_iter().filter_map(|name| Some((name.to_owned(), member(name)?))).collect();
        self.notify(topic, fields.into());
    }
}

impl Paying {
    fn check(&self, invoice: &StoredInvoice, hash: &str) -> Result<(), String> {
        let requires = |feature| invoice.features.is_set(feature);
        match self.payment_secret {
            None if requires(bit::VAR_ONION) => return Err(format!("Attempt to pay {hash} without secret")),
            None if requires(bit::PAYMENT_SECRET) => {
                return Err(format!("Missing payment_secret, but required for {hash}"));
            }
            Some(secret) if secret != payment_secret(&invoice.preimage) => {
                return Err(format!("Attempt to pay {hash} with wrong payment_secret"));
            }
            _ => {}
        }
        let Some(asked) = invoice.amount_msat.map(|asked| self.invoice_msat.unwrap_or(asked)) else {
            return Ok(());
        };
        let paid = self.total_msat;
        if paid < asked {
            return Err(format!("Attempt to pay {hash} with amount {paid}msat < {asked}msat"));
        }
        if let Some(twice) = asked.checked_mul(2).filter(|twice| paid > *twice) {
            return Err(format!("Attempt to pay {hash} with amount {paid}msat > {twice}msat"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leyden_bolt::Features;

    const PREIMAGE: [u8; 32] = [7; 32];

    fn invoice(amount_msat: Option<u64>, features: &[usize]) -> StoredInvoice {
        StoredInvoice::unpaid(PREIMAGE, amount_msat, Features::from_bits(features))
    }

    fn check(
        invoice: &StoredInvoice,
        total_msat: u64,
        secret: Option<[u8; 32]>,
        wanted: Option<u64>,
    ) -> Option<String> {
        let paying = Paying { total_msat, payment_secret: secret, invoice_msat: wanted };
        paying.check(invoice, "H").err()
    }

    #[test]
    fn a_payment_must_know_the_secret() {
        let right = Some(payment_secret(&PREIMAGE));
        let modern = invoice(None, &[bit::VAR_ONION, bit::PAYMENT_SECRET]);
        assert_eq!(check(&modern, 1, right, None), None);
        assert_eq!(check(&modern, 1, None, None).as_deref(), Some("Attempt to pay H without secret"));
        let wrong = "Attempt to pay H with wrong payment_secret";
        assert_eq!(check(&modern, 1, Some([0; 32]), None).as_deref(), Some(wrong));
        let only_secret = invoice(None, &[bit::PAYMENT_SECRET]);
        let missing = "Missing payment_secret, but required for H";
        assert_eq!(check(&only_secret, 1, None, None).as_deref(), Some(missing));
        assert_eq!(check(&invoice(None, &[]), 1, None, None), None, "an old invoice asks for none");
    }

    #[test]
    fn the_amount_is_what_was_asked_for_and_at_most_twice_that() {
        let asked = invoice(Some(1000), &[]);
        assert_eq!(check(&asked, 1000, None, None), None);
        assert_eq!(check(&asked, 2000, None, None), None);
        let too_little = "Attempt to pay H with amount 999msat < 1000msat";
        assert_eq!(check(&asked, 999, None, None).as_deref(), Some(too_little));
        let too_much = "Attempt to pay H with amount 2001msat > 2000msat";
        assert_eq!(check(&asked, 2001, None, None).as_deref(), Some(too_much));
        assert_eq!(check(&asked, 999, None, Some(500)), None, "a plugin says that less will do");
        assert!(check(&asked, 1000, None, Some(1001)).is_some(), "or that more is needed");
        assert_eq!(check(&invoice(None, &[]), u64::MAX, None, Some(5)), None, "any amount is any amount");
    }
}
