//! What the node says about its balances (`lightningd/coin_mvts.c`).

use crate::state::State;
use serde_json::json;
use std::time::UNIX_EPOCH;

impl State {
    /// `balance_snapshot`: sent once, when the node has caught up with the chain for the first time.
    pub(crate) fn send_account_balance_snapshot(&mut self) {
        let now = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The wallet has addresses, but takes note of no coins; channels there are none.
        let wallet = json!({ "account_id": "wallet", "balance_msat": 0, "coin_type": "bcrt" });
        let fields = json!({
            "node_id": self.node_id.to_string(),
            "blockheight": self.topology.height(),
            "timestamp": now.as_secs(),
            "accounts": [wallet],
        });
        self.notify("balance_snapshot", fields);
    }
}
