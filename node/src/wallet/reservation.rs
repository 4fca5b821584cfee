//! Outputs that are kept for somebody until a height (`wallet/reservation.c`): the commands `reserveinputs` and
//! `unreserveinputs`.

use super::output::{OutputStatus, WalletOutput};
use super::psbt;
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::Psbt;
use bitcoin::hashes::Hash;
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};

/// For how many blocks outputs are kept if nobody says: half a day.
pub(crate) const RESERVATION: u32 = 6 * 12;

impl State {
    /// Keeps an output for `blocks` more, and says what was and what is now.
    pub(crate) fn reserve(&mut self, output: &WalletOutput, blocks: u32) -> Value {
        let height = self.topology.height();
        let from = output.reserved_til.filter(|til| *til >= height).unwrap_or(height);
        self.change_reservation(output, Some(from.saturating_add(blocks)))
    }

    /// Keeps an output for `blocks` less, and says what was and what is now.
    pub(crate) fn unreserve(&mut self, output: &WalletOutput, blocks: u32) -> Value {
        let past = self.topology.height().saturating_add(blocks);
        let til = output.reserved_til.filter(|til| *til > past).map(|til| til - blocks);
        self.change_reservation(output, til)
    }

    fn change_reservation(&mut self, before: &WalletOutput, til: Option<u32>) -> Value {
        let status = if til.is_some() { OutputStatus::Reserved } else { OutputStatus::Available };
        let after = WalletOutput { status, reserved_til: til, ..before.clone() };
        let (txid, vout) = (after.outpoint.txid, after.outpoint.vout);
        let update =
            "UPDATE outputs SET status = ?, reserved_til = ? WHERE prev_out_tx = ? AND prev_out_index = ?";
        let params = (status as u8, til.unwrap_or(0), txid.to_byte_array());
        self.db().exec(update, &[&params.0, &params.1, &params.2, &vout]);
        let height = self.topology.height();
        let mut report = json!({
            "txid": txid.to_string(),
            "vout": vout,
            "was_reserved": before.is_reserved(height),
            "reserved": after.is_reserved(height),
        });
        if after.is_reserved(height) {
            report["reserved_to_block"] = after.reserved_til.into();
        }
        report
    }

    /// The outputs of the wallet that a PSBT spends.
    pub(crate) fn outputs_spent_by(&self, psbt: &Psbt) -> Vec<WalletOutput> {
        let inputs = psbt.unsigned_tx.input.iter();
        inputs.filter_map(|input| self.wallet_output(input.previous_output)).collect()
    }
}

/// `reserveinputs psbt [exclusive] [reserve]`.
pub(crate) struct Reserveinputs {
    outputs: Vec<WalletOutput>,
    blocks: u32,
}

impl Command for Reserveinputs {
    const NAME: &'static str = "reserveinputs";
    const TAKES: &'static [Shape] =
        &[Shape::required("psbt"), Shape::optional("exclusive"), Shape::optional("reserve")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let outputs = node.outputs_spent_by(&psbt::param(params, "psbt")?);
        let exclusive = params.optional_bool("exclusive")?.unwrap_or(true);
        let blocks = params.optional_integer("reserve")?.unwrap_or(RESERVATION);
        for output in &outputs {
            let outpoint = output.outpoint;
            if exclusive && output.is_reserved(node.topology.height()) {
                return Err(invalid(format!("{outpoint} already reserved")));
            }
            if output.status == OutputStatus::Spent {
                return Err(invalid(format!("{outpoint} already spent")));
            }
        }
        Ok(Self { outputs, blocks })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let reservations: Vec<Value> =
            self.outputs.iter().map(|output| node.reserve(output, self.blocks)).collect();
        node.reply(&request.client, &json!({ "reservations": reservations }));
        Ok(())
    }
}

/// `unreserveinputs psbt [reserve]`.
pub(crate) struct Unreserveinputs {
    outputs: Vec<WalletOutput>,
    blocks: u32,
}

impl Command for Unreserveinputs {
    const NAME: &'static str = "unreserveinputs";
    const TAKES: &'static [Shape] = &[Shape::required("psbt"), Shape::optional("reserve")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let mut outputs = node.outputs_spent_by(&psbt::param(params, "psbt")?);
        outputs.retain(|output| output.status == OutputStatus::Reserved);
        Ok(Self { outputs, blocks: params.optional_integer("reserve")?.unwrap_or(RESERVATION) })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let reservations: Vec<Value> =
            self.outputs.iter().map(|output| node.unreserve(output, self.blocks)).collect();
        node.reply(&request.client, &json!({ "reservations": reservations }));
        Ok(())
    }
}
