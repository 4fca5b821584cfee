//! What the node says about its coins: each movement of them, and balances (`lightningd/coin_mvts.c`).
//!
//! | module | subject |
//! |---|---|
//! | [`movement`] | what moves, and why |
//! | [`store`] | the tables `chain_moves` and `channel_moves` |
//! | [`shape`] | what plugins are told, as each release says it |
//! | [`account`] | movements of the wallet, and of channels that open and close |
//! | [`list`] | `listchainmoves`, `listchannelmoves` |

mod account;
pub(crate) mod list;
pub(crate) mod movement;
mod shape;
mod store;

pub(crate) use account::{ChannelClose, ChannelOpen};

use crate::state::State;
use crate::world::unix_seconds;
use movement::Movement;
use serde_json::{Value, json};

impl State {
    /// Coins have moved: stores it, and tells plugins in the words of the release. What a block has told before is not
    /// said again when the block is looked at again, unless the release does so.
    pub(crate) fn coin_movement(&mut self, movement: &Movement) {
        let timestamp = unix_seconds((self.clock)());
        let remembers = !self.profile.repeats_coin_movements();
        if let Movement::Chain(chain) = movement
            && remembers
            && self.has_chain_move(chain)
        {
            return;
        }
        let index = if remembers { self.store_movement(movement, timestamp) } else { None };
        if let Some(fields) = self.movement_fields(movement, index.unwrap_or(0), timestamp) {
            self.notify("coin_movement", fields);
        }
    }

    /// `balance_snapshot`: sent once, when the node has caught up with the chain for the first time.
    pub(crate) fn send_account_balance_snapshot(&mut self) {
        let account = |id: String, msat: Value| json!({ "account_id": id, "balance_msat": msat, "coin_type": movement::COIN_TYPE });
        let confirmed = |output: &crate::wallet::output::WalletOutput| output.confirmed_at.is_some();
        let wallet_sat: u64 =
            self.wallet_outputs(false).iter().filter(|one| confirmed(one)).map(|one| one.value_sat).sum();
        let wallet = account("wallet".to_owned(), self.amount(wallet_sat * 1000));
        let channels = self.channel_balances().into_iter();
        let channels = channels.map(|(id, msat)| account(id.to_string(), self.amount(msat)));
        let accounts: Vec<Value> = std::iter::once(wallet).chain(channels).collect();
        let fields = json!({
            "node_id": self.node_id.to_string(),
            "blockheight": self.topology.height(),
            "timestamp": unix_seconds((self.clock)()),
            "accounts": accounts,
        });
        self.notify("balance_snapshot", fields);
    }
}
