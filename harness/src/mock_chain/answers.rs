//! What the five methods of a Bitcoin backend say of a chain, as bcli says it.

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{OutPoint, Transaction};
use leyden_mock_plugins::{Call, Reply};
use serde_json::{Value, json};

use super::State;

/// For how many blocks fees are estimated.
const ESTIMATES: [u32; 4] = [2, 6, 12, 100];

/// How much more than the highest estimate bcli allowed of old.
const MAX_MULTIPLIER: u32 = 10;

impl State {
    pub(super) fn answer(&mut self, method: &str, call: &Call) -> Reply {
        let result = match method {
            "getchaininfo" => Some(self.chain_info()),
            "getrawblockbyheight" => number(call.argument(0, "height")).map(|height| self.block(height)),
            "sendrawtransaction" => call.argument(0, "tx").as_str().map(|tx| self.send(tx)),
            "getutxout" => outpoint(call).map(|outpoint| self.output(outpoint)),
            _ => Some(self.estimates()),
        };
        result.map_or_else(
            || Reply::error(-32602, format!("{method} with unusable parameters: {}", call.params())),
            Reply::result,
        )
    }

    fn chain_info(&self) -> Value {
        let blockcount = self.blocks.height();
        json!({
            "chain": self.network,
            "headercount": self.headercount.unwrap_or(blockcount),
            "blockcount": blockcount,
            "ibd": self.ibd,
        })
    }

    fn block(&self, height: u32) -> Value {
        match self.blocks.at(height) {
            Some(block) => json!({ "blockhash": block.block_hash(), "block": serialize_hex(block) }),
            None => json!({ "blockhash": null, "block": null }),
        }
    }

    /// Whether it is valid is not looked at.
    fn send(&mut self, tx: &str) -> Value {
        match deserialize_hex::<Transaction>(tx) {
            Ok(tx) => {
                if !self.blocks.mempool.contains(&tx) {
                    self.blocks.mempool.push(tx);
                }
                json!({ "success": true, "errmsg": "" })
            }
            Err(error) => json!({ "success": false, "errmsg": format!("TX decode failed: {error}") }),
        }
    }

    fn output(&self, outpoint: OutPoint) -> Value {
        match self.blocks.unspent(outpoint) {
            Some(output) => {
                let amount = format!("{}sat", output.value.to_sat());
                json!({ "amount": amount, "script": output.script_pubkey.to_hex_string() })
            }
            None => json!({ "amount": null, "script": null }),
        }
    }

    /// In sat per kVB. The names are those of releases before v23.05; later ones read only the list.
    fn estimates(&self) -> Value {
        let perkb = self.feerates.map(|perkw| perkw.saturating_mul(4));
        let known = ESTIMATES.into_iter().zip(perkb).filter(|(_, feerate)| *feerate > 0);
        let list: Vec<Value> =
            known.map(|(blocks, feerate)| json!({ "blocks": blocks, "feerate": feerate })).collect();
        let named = |feerate: u32| if feerate > 0 { feerate.into() } else { Value::Null };
        let [highest, urgent, normal, slow] = perkb;
        json!({
            "feerate_floor": self.feerate_floor.saturating_mul(4),
            "feerates": list,
            "opening": named(normal),
            "mutual_close": named(slow),
            "unilateral_close": named(urgent),
            "delayed_to_us": named(normal),
            "htlc_resolution": named(urgent),
            "penalty": named(normal),
            "min_acceptable": named(slow / 2),
            "max_acceptable": named(highest.saturating_mul(MAX_MULTIPLIER)),
        })
    }
}

fn outpoint(call: &Call) -> Option<OutPoint> {
    let txid = call.argument(0, "txid").as_str()?.parse().ok()?;
    Some(OutPoint { txid, vout: number(call.argument(1, "vout"))? })
}

/// `lightning-cli` may send a number as a string.
fn number(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => u32::try_from(other.as_u64()?).ok(),
    }
}
