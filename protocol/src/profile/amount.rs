//! How releases write amounts of money.

use super::Profile;
use serde_json::Value;

impl Profile {
    /// An amount: a number of msat, or a text such as `"1000msat"` (`common/json_stream.c:json_add_amount_msat`).
    #[must_use]
    pub fn amount(self, msat: u64, deprecated_ok: bool) -> Value {
        match self {
            Self::V26_06 => msat.into(),
            Self::V23_02 if !deprecated_ok => msat.into(),
            Self::Manual | Self::V0_10 | Self::V23_02 => format!("{msat}msat").into(),
        }
    }

    /// The members of `invoice_creation` and `invoice_payment`, in order.
    #[must_use]
    pub const fn invoice_notification_members(self) -> [&'static str; 3] {
        match self {
            Self::Manual => ["label", "preimage", "msat"],
            _ => ["msat", "preimage", "label"],
        }
    }

    /// `msat` in what is said of invoices: v23.02 wrote a text there whatever was deprecated.
    #[must_use]
    pub fn invoice_msat(self, msat: u64) -> Value {
        self.amount(msat, true)
    }
}
