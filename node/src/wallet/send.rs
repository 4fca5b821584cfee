//! Transactions that clients send: `sendpsbt` (`wallet/walletrpc.c:json_sendpsbt`).

use super::output::OutputStatus;
use super::psbt;
use super::reservation::RESERVATION;
use super::sign::finalize;
use crate::chain::broadcast::Broadcast;
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::{Client, RpcRequest};
use crate::state::State;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{OutPoint, Psbt, Transaction, Txid};
use leyden_protocol::message::{RpcError, code};
use serde_json::json;

/// A client that waits until its transaction is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sending {
    pub(crate) client: Client,
    psbt: Psbt,
    tx: Transaction,
    /// For how many blocks the inputs were reserved.
    reserve: u32,
}

/// `sendpsbt psbt [reserve]`.
pub(crate) struct Sendpsbt {
    psbt: Psbt,
    tx: Transaction,
    reserve: u32,
}

impl Command for Sendpsbt {
    const NAME: &'static str = "sendpsbt";
    const TAKES: &'static [Shape] = &[Shape::required("psbt"), Shape::optional("reserve")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let mut psbt = psbt::param(params, "psbt")?;
        let reserve = params.optional_integer("reserve")?.unwrap_or(RESERVATION);
        let refuse = |text| RpcError::new(code::LIGHTNINGD, text);
        let tx = finalize(&mut psbt).ok_or_else(|| refuse(format!("PSBT not finalizeable {psbt}")))?;
        let height = node.topology.height();
        match node.outputs_spent_by(&psbt).iter().find(|output| !output.is_reserved(height)) {
            None => Ok(Self { psbt, tx, reserve }),
            Some(output) => {
                let outpoint = output.outpoint;
                Err(refuse(format!("Aborting PSBT signing. UTXO {outpoint} is not reserved")))
            }
        }
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { psbt, tx, reserve } = self;
        let client = request.client.clone();
        node.send(Sending { client, psbt, tx, reserve });
        Ok(())
    }
}

impl State {
    fn send(&mut self, sending: Sending) {
        self.note_sent_funding(&sending.psbt);
        for output in self.outputs_spent_by(&sending.psbt) {
            if output.status != OutputStatus::Spent {
                self.reserve(&output, sending.reserve);
            }
        }
        self.broadcast(sending.tx.clone(), Broadcast::Client(Box::new(sending)));
    }

    /// The backend has taken the transaction of a client, or not.
    pub(crate) fn client_broadcast_answered(
        &mut self,
        sending: &Sending,
        txid: Txid,
        answer: Result<(), String>,
    ) {
        let Sending { client, psbt, tx, reserve } = sending;
        let raw = serialize_hex(tx);
        if let Err(why) = answer {
            self.stop_broadcast(txid);
            for output in self.outputs_spent_by(psbt) {
                if output.status == OutputStatus::Reserved {
                    self.unreserve(&output, *reserve);
                }
            }
            let text = format!("Error broadcasting transaction: {why}. Unsent tx discarded {raw}");
            return self.reply_error(client, &RpcError::new(code::LIGHTNINGD, text));
        }
        self.store_tx(tx, None);
        self.take_wallet_outputs(tx, None);
        for (vout, (output, said)) in (0..).zip(tx.output.iter().zip(&psbt.outputs)) {
            if psbt::is_external(said) && self.scripts.key_index(&output.script_pubkey).is_none() {
                self.wallet_sent(OutPoint { txid, vout }, output.value.to_sat());
            }
        }
        self.reply(client, &json!({ "tx": raw, "txid": txid.to_string() }));
    }
}
