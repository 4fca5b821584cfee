//! What releases differ in about the movements of coins.

use super::Profile;

/// How `coin_movement` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoinMovementForm {
    /// Version 1: one `tag`, a `movement_idx` over all kinds of movements, and amounts as text.
    Tag,
    /// Version 2, with a list of `tags`.
    Tags,
    /// Version 2 since v25.09: `primary_tag` and `extra_tags`, `utxo`, and a `created_index`.
    Outpoint,
}

impl Profile {
    /// How `coin_movement` is written.
    #[must_use]
    pub const fn coin_movement_form(self) -> CoinMovementForm {
        match self {
            Self::Manual | Self::V0_10 => CoinMovementForm::Tag,
            Self::V23_02 => CoinMovementForm::Tags,
            Self::V26_06 => CoinMovementForm::Outpoint,
        }
    }

    /// Whether movements are told again when a restart looks at old blocks again, because nobody remembers them.
    #[must_use]
    pub const fn repeats_coin_movements(self) -> bool {
        matches!(self, Self::Manual | Self::V0_10)
    }

    /// Whether what leaves an account is told by the outputs to which it goes, and fees on their own (before v0.12).
    /// Since then it is told by the output that is spent.
    #[must_use]
    pub const fn tells_withdrawals_by_output(self) -> bool {
        matches!(self, Self::Manual | Self::V0_10)
    }
}
