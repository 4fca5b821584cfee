//! What a node asks of its Bitcoin backend, and how it takes the answers.

use super::Profile;

impl Profile {
    /// Whether `getchaininfo` tells the Bitcoin backend from which height the node wants blocks (v23.08).
    #[must_use]
    pub const fn tells_backend_of_height(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether `sendrawtransaction` tells the Bitcoin backend if it may pay a high fee. The manual's is the transaction
    /// alone.
    #[must_use]
    pub const fn tells_backend_of_high_fees(self) -> bool {
        !matches!(self, Self::Manual)
    }

    /// Whether an answer of the Bitcoin backend is looked at from its envelope on, and quoted with it.
    #[must_use]
    pub const fn scans_whole_chain_answers(self) -> bool {
        !matches!(self, Self::V26_06)
    }

    /// Whether the Bitcoin backend names its fee estimates by what they are for (until v23.02), and not by the
    /// number of blocks.
    #[must_use]
    pub const fn estimates_fees_by_name(self) -> bool {
        !matches!(self, Self::V26_06)
    }

    /// Whether the wallet has addresses of the kind P2TR (v23.05), and takes them for change and for what channels pay out.
    #[must_use]
    pub const fn has_taproot_addresses(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether a node waits at its start for blocks that bitcoind has lost, if it has their headers.
    #[must_use]
    pub const fn waits_for_lost_blocks(self) -> bool {
        matches!(self, Self::V26_06)
    }
}
