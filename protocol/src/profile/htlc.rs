//! What releases differ in about HTLCs: the hooks `htlc_accepted` and `invoice_payment`, and `forward_event`.

use super::Profile;

impl Profile {
    /// Whether `htlc_accepted` says which peer and channel the HTLC came from, and its number.
    #[must_use]
    pub const fn htlc_names_channel(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether `htlc_accepted` says whose HTLC it is.
    #[must_use]
    pub const fn htlc_names_peer(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether onions may have payloads of a fixed length: `sendpay` makes such ones where nobody asks for others (until v0.11).
    #[must_use]
    pub const fn knows_legacy_onions(self) -> bool {
        matches!(self, Self::Manual | Self::V0_10)
    }

    /// Whether `next_onion` and `shared_secret` stand within `onion`. In the manual they stand beside it.
    #[must_use]
    pub const fn onion_has_its_secret(self) -> bool {
        !matches!(self, Self::Manual)
    }

    /// Whether `htlc_accepted` has amounts under the names of v0.10: `forward_amount`, `amount`.
    #[must_use]
    pub const fn htlc_has_amount(self, deprecated_ok: bool) -> bool {
        match self {
            Self::Manual | Self::V0_10 => true,
            Self::V23_02 => deprecated_ok,
            Self::V26_06 => false,
        }
    }

    /// Whether `htlc_accepted` has amounts as `forward_msat` and `amount_msat`.
    #[must_use]
    pub const fn htlc_has_amount_msat(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether an answer to `htlc_accepted` may say where the HTLC is to go, and is told where it would.
    #[must_use]
    pub const fn htlc_can_be_redirected(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether `htlc_accepted` shows records of `update_add_htlc`, and an answer may replace them (v25.02), and the amount that
    /// the invoice is taken to ask for.
    #[must_use]
    pub const fn htlc_has_extra_tlvs(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether an answer to `htlc_accepted` may bring the whole onion of a failure.
    #[must_use]
    pub const fn htlc_fails_with_onion(self) -> bool {
        !matches!(self, Self::Manual)
    }

    /// Whether an answer to `htlc_accepted` or `invoice_payment` may fail with a `failure_code`.
    #[must_use]
    pub const fn fails_with_code(self, deprecated_ok: bool) -> bool {
        matches!(self, Self::V0_10 | Self::V23_02) && deprecated_ok
    }

    /// Whether an answer to `htlc_accepted` that fails without a message ends the node. In older releases it is
    /// `temporary_node_failure`.
    #[must_use]
    pub const fn htlc_failure_needs_message(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether an answer to `invoice_payment` with neither result nor message ends the node.
    #[must_use]
    pub const fn invoice_payment_needs_message(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether `invoice_payment` shows a developer the records of the payload that the node does not know.
    #[must_use]
    pub const fn invoice_payment_has_extra_tlvs(self) -> bool {
        !matches!(self, Self::Manual)
    }

    /// Whether forwards have amounts as bare numbers, too: `in_msatoshi`, `out_msatoshi`, `fee`.
    #[must_use]
    pub const fn forward_has_msatoshi(self) -> bool {
        matches!(self, Self::Manual | Self::V0_10)
    }

    /// Whether forwards name the HTLC that came in, and the style of its payload.
    #[must_use]
    pub const fn forward_names_htlc(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether a forward that failed before a channel was found names the one that was asked for.
    #[must_use]
    pub const fn forward_names_unknown_channel(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether the end of a forward tells its preimage.
    #[must_use]
    pub const fn forward_has_preimage(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// How many digits of a second the times of forwards have.
    #[must_use]
    pub const fn forward_time_digits(self) -> u32 {
        match self {
            Self::V26_06 => 9,
            _ => 3,
        }
    }
}
