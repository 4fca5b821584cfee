//! Movements of coins: between which accounts, and why (`common/coin_mvt.h`).

use bitcoin::hashes::sha256;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, Txid};
use leyden_bolt::ChannelId;

/// The name of the coin, as BIP 173 has it.
pub(crate) const COIN_TYPE: &str = "bcrt";

/// Whose coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// The on-chain wallet.
    Wallet,
    /// Somebody else.
    External,
    /// A channel.
    Channel {
        /// Its number in the database.
        dbid: u64,
        id: ChannelId,
    },
}

impl Account {
    /// As it is called in answers and notifications.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Wallet => "wallet".to_owned(),
            Self::External => "external".to_owned(),
            Self::Channel { id, .. } => id.to_string(),
        }
    }
}

macro_rules! tags {
    ($($(#[$doc:meta])* $tag:ident = $number:literal, $name:literal;)*) => {
        /// Why coins move, by the number that the database has for it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Tag {
            $($(#[$doc])* $tag = $number,)*
        }

        impl Tag {
            const ALL: &'static [Self] = &[$(Self::$tag),*];

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$tag => $name,)*
                }
            }
        }
    };
}

tags! {
    Deposit = 0, "deposit";
    Withdrawal = 1, "withdrawal";
    /// Taken from a peer that cheated.
    Penalty = 2, "penalty";
    /// Sent or received for ourselves.
    Invoice = 3, "invoice";
    /// Passed on.
    Routed = 4, "routed";
    /// Given away by the opener of a channel.
    Pushed = 5, "pushed";
    ChannelOpen = 6, "channel_open";
    ChannelClose = 7, "channel_close";
    /// Ours, after a delay.
    DelayedToUs = 8, "delayed_to_us";
    HtlcTimeout = 9, "htlc_timeout";
    HtlcFulfill = 10, "htlc_fulfill";
    HtlcTx = 11, "htlc_tx";
    /// From a closed channel to the wallet.
    ToWallet = 12, "to_wallet";
    Anchor = 13, "anchor";
    /// Of a closed channel, to the peer.
    ToThem = 14, "to_them";
    Penalized = 15, "penalized";
    Stolen = 16, "stolen";
    /// Left to the miner.
    ToMiner = 17, "to_miner";
    /// Beside another: we opened the channel.
    Opener = 18, "opener";
    /// Beside another: it can still be stolen.
    Stealable = 21, "stealable";
    /// A penalty has brought more than the channel's balance was.
    PenaltyAdj = 24, "penalty_adj";
    /// An output is spent: only of releases that tell of the outputs to which coins go.
    SpendTrack = 32, "spend_track";
    /// Only of releases that tell fees on their own.
    ChainFees = 33, "chain_fees";
}

impl Tag {
    fn bit(self) -> u64 {
        1 << (self as u8)
    }

    /// Whether it only stands beside another.
    fn is_extra(self) -> bool {
        matches!(self, Self::Opener | Self::Stealable)
    }
}

/// Tags as they are stored.
pub(super) fn bitmap(primary: Tag, extra: &[Tag]) -> u64 {
    extra.iter().fold(primary.bit(), |bits, tag| bits | tag.bit())
}

/// Tags that were stored; the first is the primary one.
pub(super) fn from_bitmap(bits: u64) -> Vec<Tag> {
    let (extra, primary): (Vec<Tag>, Vec<Tag>) =
        Tag::ALL.iter().filter(|tag| bits & tag.bit() != 0).partition(|tag| tag.is_extra());
    primary.into_iter().chain(extra).collect()
}

/// Coins that moved on the chain. One of credit and debit is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainMove {
    pub(crate) account: Account,
    /// The account from which a deposit to somebody else came.
    pub(crate) originating: Option<Account>,
    pub(crate) tag: Tag,
    pub(crate) extra_tags: Vec<Tag>,
    pub(crate) credit_msat: u64,
    pub(crate) debit_msat: u64,
    /// The output that was made or spent.
    pub(crate) outpoint: OutPoint,
    /// What spent it, if it was spent.
    pub(crate) spending_txid: Option<Txid>,
    /// Of a channel that was opened.
    pub(crate) peer: Option<PublicKey>,
    /// Of an HTLC.
    pub(crate) payment_hash: Option<sha256::Hash>,
    /// 0 if it is in no block yet.
    pub(crate) height: u32,
    /// The whole value of the output.
    pub(crate) output_sat: u64,
    /// How many outputs the transaction has that closed a channel.
    pub(crate) output_count: Option<u32>,
}

impl ChainMove {
    /// An output comes into an account.
    pub(crate) fn credit(account: Account, tag: Tag, outpoint: OutPoint, sat: u64, height: u32) -> Self {
        Self {
            account,
            originating: None,
            tag,
            extra_tags: Vec::new(),
            credit_msat: sat * 1000,
            debit_msat: 0,
            outpoint,
            spending_txid: None,
            peer: None,
            payment_hash: None,
            height,
            output_sat: sat,
            output_count: None,
        }
    }

    /// An output of an account is spent.
    pub(crate) fn debit(
        account: Account,
        tag: Tag,
        outpoint: OutPoint,
        sat: u64,
        spending_txid: Txid,
        height: u32,
    ) -> Self {
        Self {
            credit_msat: 0,
            debit_msat: sat * 1000,
            spending_txid: Some(spending_txid),
            ..Self::credit(account, tag, outpoint, sat, height)
        }
    }
}

/// Coins that moved within a channel. One of credit and debit is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChannelMove {
    pub(crate) account: Account,
    pub(crate) tag: Tag,
    pub(crate) credit_msat: u64,
    pub(crate) debit_msat: u64,
    /// `None` for what the opener gave away.
    pub(crate) payment_hash: Option<sha256::Hash>,
    /// The part and the group of a payment of our own.
    pub(crate) part: Option<(u64, u64)>,
    /// What we paid for a payment of our own, or got for one that we passed on.
    pub(crate) fees_msat: u64,
}

/// Coins moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Movement {
    Chain(ChainMove),
    Channel(ChannelMove),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_they_were_stored() {
        let bits = bitmap(Tag::ChannelOpen, &[Tag::Opener]);
        assert_eq!(bits, 1 << 6 | 1 << 18);
        assert_eq!(from_bitmap(bits), [Tag::ChannelOpen, Tag::Opener]);
        assert_eq!(from_bitmap(bitmap(Tag::ToMiner, &[Tag::Stealable])), [Tag::ToMiner, Tag::Stealable]);
    }
}
