//! `listfunds` (`wallet/walletrpc.c:json_listfunds`).

use super::output::WalletOutput;
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::{Address, Network};
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};

/// `listfunds [spent]`.
pub(crate) struct Listfunds {
    with_spent: bool,
}

impl Command for Listfunds {
    const NAME: &'static str = "listfunds";
    const TAKES: &'static [Shape] = &[Shape::optional("spent")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self { with_spent: params.optional_bool("spent")?.unwrap_or(false) })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let outputs = node.wallet_outputs(self.with_spent);
        let outputs: Vec<Value> = outputs.iter().map(|output| node.listed_output(output)).collect();
        let channels = node.listed_channel_funds();
        node.reply(&request.client, &json!({ "outputs": outputs, "channels": channels }));
        Ok(())
    }
}

impl State {
    fn listed_output(&self, output: &WalletOutput) -> Value {
        let height = self.topology.height();
        let mut entry = json!({
            "txid": output.outpoint.txid.to_string(),
            "output": output.outpoint.vout,
            "amount_msat": self.amount(output.value_sat * 1000),
            "scriptpubkey": output.script.to_hex_string(),
        });
        if let Ok(address) = Address::from_script(&output.script, Network::Regtest) {
            entry["address"] = address.to_string().into();
        }
        entry["status"] = match (output.spent_at, output.confirmed_at) {
            (Some(_), _) => "spent",
            (None, Some(_)) if output.is_immature(height) => "immature",
            (None, Some(_)) => "confirmed",
            (None, None) => "unconfirmed",
        }
        .into();
        if output.spent_at.is_none()
            && let Some(confirmed) = output.confirmed_at
        {
            entry["blockheight"] = confirmed.into();
        }
        entry["reserved"] = output.is_reserved(height).into();
        if output.is_reserved(height) {
            entry["reserved_to_block"] = output.reserved_til.into();
        }
        if let Some(info) = output.close_info.as_ref().filter(|info| info.csv > 1) {
            entry["csv_lock"] = info.csv.into();
            if let Some(confirmed) = output.confirmed_at {
                entry["spendable_at"] = (confirmed + info.csv).into();
            }
        }
        entry
    }
}
