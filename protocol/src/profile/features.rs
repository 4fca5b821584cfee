//! The features that each release announces by default, with its own plugins.

use super::Profile;

impl Profile {
    /// Hex by place, with the places of lightningd's `feature_set`. `init` shows them, up to v23.02 only four; v0.10.1 and v23.02.2
    /// as recorded.
    #[must_use]
    pub const fn features(self) -> [(&'static str, &'static str); 9] {
        let [init, node, invoice] = match self {
            Self::Manual | Self::V0_10 => ["08026aa2", "80000008026aa2", "024200"],
            Self::V23_02 => ["08a000080269a2", "88a000080269a2", "02000000024100"],
            Self::V26_06 => ["800898880a8a59a1", "808898880a8a59a1", "02000002024100"],
        };
        let [bolt12_invoice, channel_type] = match self {
            Self::Manual | Self::V0_10 | Self::V23_02 => ["", ""],
            Self::V26_06 => ["020000", "08800000800000"],
        };
        // The bits that BOLT 9 once had in a place of their own.
        let global_init = match self {
            Self::Manual | Self::V0_10 => "2200",
            Self::V23_02 => "2100",
            Self::V26_06 => "1100",
        };
        [
            ("init", init),
            ("global_init", global_init),
            ("node", node),
            ("channel", ""),
            ("invoice", invoice),
            ("bolt12_offer", ""),
            ("bolt12_invreq", ""),
            ("bolt12_invoice", bolt12_invoice),
            ("channel_type", channel_type),
        ]
    }
}
