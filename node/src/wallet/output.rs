//! Outputs of the wallet, as they stand in the table `outputs`.

use crate::chain::transactions::txid_column;
use crate::state::State;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, ScriptBuf};
use rusqlite::Row;
use rusqlite::types::ToSql;

/// How deep the output of a coinbase must be buried before it can be spent: 100 blocks on top of its own.
const COINBASE_MATURITY: u32 = 100;

/// `type` of an output to one of the wallet's own keys (`wallet.h:WALLET_OUTPUT_OUR_CHANGE`).
pub(super) const OWN_KEY: u8 = 5;

/// `type` of an output to a key of a closed channel (`wallet.h:WALLET_OUTPUT_P2WPKH`).
pub(super) const CLOSE_KEY: u8 = 6;

/// The state of an output, by its number in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputStatus {
    Available = 0,
    /// Kept for somebody, until a height.
    Reserved = 1,
    /// By a transaction in a block.
    Spent = 2,
}

/// An output that a closed channel paid to one of its own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CloseInfo {
    /// The channel's number in the database.
    pub(crate) dbid: u64,
    pub(crate) peer: PublicKey,
    /// For how many blocks it is locked, its own included.
    pub(crate) csv: u32,
    pub(crate) anchors: bool,
}

/// An output of the wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WalletOutput {
    pub(crate) outpoint: OutPoint,
    pub(crate) value_sat: u64,
    pub(crate) status: OutputStatus,
    /// Of the wallet; without meaning if there is [`Self::close_info`].
    pub(crate) key_index: u32,
    pub(crate) close_info: Option<CloseInfo>,
    /// The height of its block, once it is in one.
    pub(crate) confirmed_at: Option<u32>,
    pub(crate) spent_at: Option<u32>,
    pub(crate) script: ScriptBuf,
    /// The height from which it is no longer reserved.
    pub(crate) reserved_til: Option<u32>,
    pub(crate) is_coinbase: bool,
}

const COLUMNS: &str = "prev_out_tx, prev_out_index, value, status, keyindex, channel_id, peer_id, \
    option_anchor_outputs, confirmation_height, spend_height, scriptpubkey, reserved_til, csv_lock, is_in_coinbase";

impl WalletOutput {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let peer: Option<Vec<u8>> = row.get(6)?;
        let peer = peer.and_then(|peer| PublicKey::from_slice(&peer).ok());
        let close_info = match (row.get(5)?, peer) {
            (Some(dbid), Some(peer)) => {
                Some(CloseInfo { dbid, peer, csv: row.get(12)?, anchors: row.get(7)? })
            }
            _ => None,
        };
        Ok(Self {
            outpoint: OutPoint { txid: txid_column(row, 0)?, vout: row.get(1)? },
            value_sat: row.get(2)?,
            status: match row.get(3)? {
                0 => OutputStatus::Available,
                1 => OutputStatus::Reserved,
                _ => OutputStatus::Spent,
            },
            key_index: row.get(4)?,
            close_info,
            confirmed_at: row.get(8)?,
            spent_at: row.get(9)?,
            script: ScriptBuf::from_bytes(row.get(10)?),
            reserved_til: row.get::<_, Option<u32>>(11)?.filter(|height| *height > 0),
            is_coinbase: row.get(13)?,
        })
    }

    /// Whether it is kept for somebody when the tip is at `height`.
    pub(crate) fn is_reserved(&self, height: u32) -> bool {
        self.status == OutputStatus::Reserved && self.reserved_til.is_some_and(|til| til > height)
    }

    /// Whether the rules of the chain forbid to spend it in the block after `height`, because it is of a coinbase.
    pub(crate) fn is_immature(&self, height: u32) -> bool {
        let old = |confirmed: u32| height + 1 >= confirmed + COINBASE_MATURITY;
        self.is_coinbase && !self.confirmed_at.is_some_and(old)
    }

    /// Whether it is locked, as the output of a channel with anchors is for a block or more.
    pub(crate) fn is_locked(&self, height: u32) -> bool {
        let Some(info) = self.close_info.as_ref().filter(|info| info.anchors) else { return false };
        self.confirmed_at.is_none_or(|confirmed| confirmed + info.csv - 1 > height)
    }
}

impl State {
    /// The output of the wallet at `outpoint`, spent or not.
    pub(crate) fn wallet_output(&self, outpoint: OutPoint) -> Option<WalletOutput> {
        let condition = "prev_out_tx = ? AND prev_out_index = ?";
        self.outputs_where(condition, &[&outpoint.txid.to_byte_array(), &outpoint.vout]).pop()
    }

    /// Every output, or every one that is not spent.
    pub(crate) fn wallet_outputs(&self, with_spent: bool) -> Vec<WalletOutput> {
        self.outputs_where(if with_spent { "1" } else { "status != 2" }, &[])
    }

    /// By transaction and place, so that it is the same in every run.
    pub(super) fn outputs_where(&self, condition: &str, params: &[&dyn ToSql]) -> Vec<WalletOutput> {
        let order = "ORDER BY prev_out_tx, prev_out_index";
        let query = format!("SELECT {COLUMNS} FROM outputs WHERE {condition} {order};");
        self.stored().rows(&query, params, WalletOutput::from_row)
    }
}
