//! What transactions and outputs of a closed channel are called in the log (`onchaind/onchain_types.h`).

use std::fmt;

macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(match self {
                    $(Self::$variant => $text,)+
                })
            }
        }
    };
}

named! {
    /// What a transaction is, or what resolves an output.
    TxKind {
        FundingTransaction = "FUNDING_TRANSACTION";
        MutualClose = "MUTUAL_CLOSE";
        OurUnilateral = "OUR_UNILATERAL";
        TheirUnilateral = "THEIR_UNILATERAL";
        /// A commitment of the peer that we know nothing of.
        UnknownUnilateral = "UNKNOWN_UNILATERAL";
        TheirRevokedUnilateral = "THEIR_REVOKED_UNILATERAL";
        /// An HTLC of ours on the peer's commitment, taken back.
        OurHtlcTimeoutToUs = "OUR_HTLC_TIMEOUT_TO_US";
        /// The same on our own commitment: with a second stage.
        OurHtlcTimeoutTx = "OUR_HTLC_TIMEOUT_TX";
        /// An HTLC of the peer on our commitment, taken: with a second stage.
        OurHtlcSuccessTx = "OUR_HTLC_SUCCESS_TX";
        /// An HTLC of ours on the peer's revoked commitment, which the peer took.
        OurHtlcFulfillToThem = "OUR_HTLC_FULFILL_TO_THEM";
        TheirHtlcTimeoutToThem = "THEIR_HTLC_TIMEOUT_TO_THEM";
        /// An HTLC of the peer on its own commitment, taken.
        TheirHtlcFulfillToUs = "THEIR_HTLC_FULFILL_TO_US";
        OurDelayedReturnToWallet = "OUR_DELAYED_RETURN_TO_WALLET";
        OurPenaltyTx = "OUR_PENALTY_TX";
        /// The peer got away with a revoked commitment.
        TheirDelayedCheat = "THEIR_DELAYED_CHEAT";
        /// Resolved by the transaction that made it.
        Itself = "SELF";
        Unknown = "UNKNOWN_TXTYPE";
    }
}

named! {
    /// What an output is.
    OutputKind {
        FundingOutput = "FUNDING_OUTPUT";
        OutputToUs = "OUTPUT_TO_US";
        DelayedOutputToUs = "DELAYED_OUTPUT_TO_US";
        OutputToThem = "OUTPUT_TO_THEM";
        DelayedOutputToThem = "DELAYED_OUTPUT_TO_THEM";
        /// The peer's, of a revoked commitment or an HTLC transaction that spends one.
        DelayedCheatOutputToThem = "DELAYED_CHEAT_OUTPUT_TO_THEM";
        OurHtlc = "OUR_HTLC";
        TheirHtlc = "THEIR_HTLC";
        AnchorToUs = "ANCHOR_TO_US";
        AnchorToThem = "ANCHOR_TO_THEM";
    }
}
