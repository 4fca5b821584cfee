//! How far a channel is, and why it went there (`lightningd/channel_state.h`). The numbers are those of the database.

use std::fmt;

macro_rules! numbered {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $number:literal, $text:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name {
            $($(#[$variant_meta])* $variant = $number,)+
        }

        impl $name {
            /// As it is called in notifications, answers and the log.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// What the database has.
            pub(crate) const fn number(self) -> u8 {
                self as u8
            }

            /// What the database has, read.
            pub(crate) const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}

numbered! {
    /// How far a channel is. Channels that are funded by both sides, or spliced, are not here.
    ChannelState {
        /// The funding transaction is signed for, and not deep enough for both sides.
        AwaitingLockin = 2, "CHANNELD_AWAITING_LOCKIN";
        /// It can be used.
        Normal = 3, "CHANNELD_NORMAL";
        /// One side has said `shutdown`; there may be HTLCs.
        ShuttingDown = 4, "CHANNELD_SHUTTING_DOWN";
        /// Both sides negotiate the fee of the closing transaction.
        Sigexchange = 5, "CLOSINGD_SIGEXCHANGE";
        /// The closing transaction is signed.
        Complete = 6, "CLOSINGD_COMPLETE";
        /// The last commitment transaction is to be in a block.
        AwaitingUnilateral = 7, "AWAITING_UNILATERAL";
        /// A transaction that spends the funding output is in a block.
        FundingSpendSeen = 8, "FUNDING_SPEND_SEEN";
        /// What comes of that transaction is being settled.
        Onchain = 9, "ONCHAIN";
        /// All is settled: it is remembered, and nothing else.
        Closed = 10, "CLOSED";
    }
}

numbered! {
    /// Why a channel goes from one state to another (`enum state_change`).
    Cause {
        /// Whatever was the cause of the change before.
        Unknown = 0, "unknown";
        /// The node by itself.
        Local = 1, "local";
        /// A user or a plugin.
        User = 2, "user";
        /// The peer, on purpose.
        Remote = 3, "remote";
        /// A breach of the protocol.
        Protocol = 4, "protocol";
        /// It was closed on the chain while this node was away.
        Onchain = 5, "onchain";
    }
}

impl ChannelState {
    /// Whether payments can be offered, once the peer is there.
    pub(crate) const fn can_add_htlc(self) -> bool {
        matches!(self, Self::Normal)
    }

    /// Whether HTLCs can be settled with the peer.
    pub(crate) const fn can_remove_htlc(self) -> bool {
        matches!(self, Self::Normal | Self::ShuttingDown)
    }

    /// Whether the two sides speak about it as soon as they are connected; a failure then takes it to the chain.
    pub(crate) const fn wants_peer(self) -> bool {
        matches!(self, Self::AwaitingLockin | Self::Normal | Self::ShuttingDown | Self::Sigexchange)
    }

    /// Whether its end has begun.
    pub(crate) const fn is_closing(self) -> bool {
        !matches!(self, Self::AwaitingLockin | Self::Normal)
    }
}
