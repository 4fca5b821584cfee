//! How `txprepare`, `withdraw` and their like are made of other commands, which plugins see (`plugins/txprepare.c`).

use super::fund::{answered_excess_sat, rest};
use super::sign::finalize;
use super::withdraw::Outputs;
use super::{param, psbt, weight};
use crate::command::params::Params;
use crate::jsonrpc::internal::BundledCall;
use crate::state::State;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Psbt, TxOut};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Value, json};

/// The bundled plugin.
pub(super) const TXPREPARE: &str = "txprepare";

/// A transaction that is to be prepared.
pub(crate) struct Preparation {
    outputs: Vec<TxOut>,
    /// The place of the output that takes all the rest.
    all: Option<usize>,
    /// Whether the outputs are known to be somebody else's.
    to_others: bool,
    /// The command that finds inputs.
    funding: (&'static str, Value),
}

impl Preparation {
    /// Reads `feerate`, `minconf` and `utxos`.
    pub(super) fn new(params: &Params, node: &State, (outputs, all): Outputs) -> Result<Self, RpcError> {
        node.feerate_param(params, "feerate")?;
        let minconf = params.optional_integer("minconf")?.unwrap_or(1);
        let (method, mut funding) = match param::optional_outpoints(params, "utxos")? {
            None => ("fundpsbt", json!({ "minconf": minconf })),
            Some(utxos) => {
                let utxos: Vec<String> = utxos.iter().map(ToString::to_string).collect();
                ("utxopsbt", json!({ "utxos": utxos, "reservedok": false }))
            }
        };
        let scripts: u64 = outputs.iter().map(|output| weight::output(&output.script_pubkey)).sum();
        let total: u64 = outputs.iter().map(|output| output.value.to_sat()).sum();
        funding["satoshi"] = if all.is_some() { json!("all") } else { json!(format!("{total}sat")) };
        funding["startweight"] = json!(weight::core(1, outputs.len() as u64) + scripts);
        funding["excess_as_change"] = json!(true);
        funding["feerate"] = json!(params.raw("feerate").map_or("opening", json::content));
        Ok(Self { outputs, all, to_others: false, funding: (method, funding) })
    }

    /// Whoever prepares it knows that it pays others.
    pub(super) fn for_others(self) -> Self {
        Self { to_others: true, ..self }
    }

    /// Puts the outputs in front of the change of what was funded.
    fn complete(self, funded: &Value) -> Result<Psbt, RpcError> {
        let mut psbt = psbt::answered(funded, "psbt")?;
        let mut outputs = self.outputs;
        if let Some(place) = self.all {
            let others = outputs.iter().map(|output| output.value.to_sat()).sum();
            outputs[place].value = rest(answered_excess_sat(funded)?, others)?;
        }
        for (place, output) in outputs.into_iter().enumerate() {
            psbt.unsigned_tx.output.insert(place, output);
            psbt.outputs.insert(place, bitcoin::psbt::Output::default());
            if self.to_others {
                psbt::mark_external(&mut psbt.outputs[place]);
            }
        }
        Ok(psbt)
    }
}

impl State {
    /// Prepares a transaction and goes on with it, or answers with the error.
    pub(super) fn prepare(
        &mut self,
        call: BundledCall,
        preparation: Preparation,
        then: impl FnOnce(&mut Self, BundledCall, Psbt) + Send + 'static,
    ) {
        let (method, params) = preparation.funding.clone();
        let outer = call.clone();
        self.call_internally(&outer, method, &params, move |node, funded| {
            match funded.and_then(|funded| preparation.complete(&funded)) {
                Ok(psbt) => then(node, call, psbt),
                Err(error) => node.reply_error(&call.client, &error),
            }
        });
    }

    /// Signs and sends a transaction that was prepared, and answers.
    pub(super) fn send_prepared(&mut self, call: BundledCall, prepared: Psbt) {
        let params = json!({ "psbt": prepared.to_string() });
        let outer = call.clone();
        self.call_internally(&outer, "signpsbt", &params, move |node, signed| {
            let signed = signed.and_then(|signed| psbt::answered(&signed, "signed_psbt"));
            match signed.and_then(|psbt| finalized(psbt, &prepared)) {
                Ok((psbt, tx)) => node.send_finalized(call, &psbt, &tx),
                Err(error) => node.give_up_prepared(call, &prepared, error),
            }
        });
    }

    fn send_finalized(&mut self, call: BundledCall, psbt: &Psbt, tx: &bitcoin::Transaction) {
        let result = json!({
            "tx": serialize_hex(tx),
            "txid": tx.compute_txid().to_string(),
            "psbt": psbt.to_string(),
        });
        let (psbt, outer) = (psbt.clone(), call.clone());
        let params = json!({ "psbt": psbt.to_string() });
        self.call_internally(&outer, "sendpsbt", &params, move |node, sent| match sent {
            Ok(_) => node.reply(&call.client, &result),
            Err(error) => node.give_up_prepared(call, &psbt, error),
        });
    }

    /// Gives the inputs up, and answers with what was wrong.
    pub(super) fn give_up_prepared(&mut self, call: BundledCall, psbt: &Psbt, error: RpcError) {
        let (params, outer) = (json!({ "psbt": psbt.to_string() }), call.clone());
        self.call_internally(&outer, "unreserveinputs", &params, move |node, _| {
            node.reply_error(&call.client, &error);
        });
    }
}

/// The transaction of a signed PSBT.
pub(crate) fn finalized(mut psbt: Psbt, prepared: &Psbt) -> Result<(Psbt, bitcoin::Transaction), RpcError> {
    let refuse = |text| RpcError::new(code::LIGHTNINGD, text);
    let [had, now] = [prepared, &psbt].map(|psbt| psbt.unsigned_tx.compute_txid());
    if had != now {
        return Err(refuse(format!("Signed tx changed txid? Had '{had}' now '{now}'")));
    }
    let tx = finalize(&mut psbt).ok_or_else(|| refuse(format!("Signed PSBT not finalizeable: {psbt}")))?;
    Ok((psbt, tx))
}
