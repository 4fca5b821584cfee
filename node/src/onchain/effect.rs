//! What following a closed channel asks of the rest of the node (the messages from onchaind to lightningd).

use crate::coin_mvts::movement::{ChainMove, Movement};
use crate::event::LogLevel;
use bitcoin::{OutPoint, ScriptBuf, Txid};

/// To be done by the node, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    Log(LogLevel, String),
    Movement(Box<Movement>),
    /// An output of the channel went to the wallet, less a fee.
    Swept {
        debit: Box<ChainMove>,
        fee_msat: u64,
    },
    /// Our balance on the peer's commitment, which the wallet can spend as it is.
    ToWallet {
        outpoint: OutPoint,
        sat: u64,
        script: ScriptBuf,
        height: u32,
    },
    /// The peer took an HTLC of ours, and so told this preimage.
    Fulfilled([u8; 32]),
    /// An HTLC of ours is back for good: by its expiry, or because no commitment has an output for it.
    Failed {
        id: u64,
    },
    /// A transaction that was sent has done what it was for, or cannot any more.
    Abandon(Txid),
    /// All is irrevocably resolved.
    Forget,
}
