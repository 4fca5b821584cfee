//! PSBTs (BIP 174): what clients send, and inputs for outputs of the wallet.

use super::output::WalletOutput;
use super::psbt_version::{self, PsbtVersion};
use crate::command::params::Params;
use crate::state::State;
use bitcoin::absolute::LockTime;
use bitcoin::psbt::raw::ProprietaryKey;
use bitcoin::psbt::{Input, Output};
use bitcoin::transaction::Version;
use bitcoin::{Amount, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};

/// Replaceable (BIP 125), as lightningd makes all its inputs.
pub(crate) const SEQUENCE: Sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;

/// A PSBT without inputs and outputs.
pub(crate) fn empty(locktime: LockTime) -> Psbt {
    let tx =
        Transaction { version: Version::TWO, lock_time: locktime, input: Vec::new(), output: Vec::new() };
    Psbt::from_unsigned_tx(tx).expect("a transaction without inputs has no signatures")
}

/// A required parameter.
pub(crate) fn param(params: &Params, name: &str) -> Result<Psbt, RpcError> {
    param_of_version(params, name).map(|(psbt, _)| psbt)
}

/// A required parameter, and in which version it was given.
pub(super) fn param_of_version(params: &Params, name: &str) -> Result<(Psbt, PsbtVersion), RpcError> {
    let text = params.required_raw(name).map(json::content)?;
    psbt_version::read(text).ok_or_else(|| params.wrong(name, "Expected a PSBT"))
}

/// An optional parameter.
pub(crate) fn optional_param(params: &Params, name: &str) -> Result<Option<Psbt>, RpcError> {
    params.raw(name).map(|_| param(params, name)).transpose()
}

/// Adds an output.
pub(crate) fn add_output(psbt: &mut Psbt, script: ScriptBuf, value_sat: u64) {
    psbt.unsigned_tx.output.push(TxOut { value: Amount::from_sat(value_sat), script_pubkey: script });
    psbt.outputs.push(Output::default());
}

/// How lightningd marks an output that is somebody else's for sure (`common/psbt_open.c`).
fn external_mark() -> ProprietaryKey {
    ProprietaryKey { prefix: b"lightning".to_vec(), subtype: 4, key: Vec::new() }
}

/// Marks an output as somebody else's: so `withdraw` tells `sendpsbt`.
pub(super) fn mark_external(output: &mut Output) {
    output.proprietary.insert(external_mark(), vec![0, 1]);
}

/// Whether an output is marked as somebody else's.
pub(super) fn is_external(output: &Output) -> bool {
    output.proprietary.contains_key(&external_mark())
}

/// A PSBT that a command has answered.
pub(crate) fn answered(result: &serde_json::Value, name: &str) -> Result<Psbt, RpcError> {
    let text = crate::jsonrpc::internal::text(result, name)?;
    let read = psbt_version::read(text).map(|(psbt, _)| psbt);
    read.ok_or_else(|| RpcError::new(code::LIGHTNINGD, format!("Unparsable {name}: '{text}'")))
}

impl State {
    /// Adds an input that spends an output of the wallet, with all that a signer needs.
    pub(crate) fn add_wallet_input(&self, psbt: &mut Psbt, output: &WalletOutput) {
        let lock = output.close_info.as_ref().filter(|info| info.anchors);
        let sequence = lock.map_or(SEQUENCE, |info| Sequence::from_consensus(info.csv));
        psbt.unsigned_tx.input.push(TxIn {
            previous_output: output.outpoint,
            script_sig: ScriptBuf::new(),
            sequence,
            witness: Witness::new(),
        });
        psbt.inputs.push(Input {
            witness_utxo: Some(txout(output)),
            non_witness_utxo: self.stored_tx(output.outpoint.txid),
            ..Input::default()
        });
    }

    /// The lock time of transactions that nobody gives one: no miner gains from taking back the tip
    /// (`lightningd/chaintopology.c:default_locktime`).
    pub(crate) fn default_locktime(&mut self) -> LockTime {
        let height = self.topology.height();
        LockTime::from_height(height).unwrap_or(LockTime::ZERO)
    }
}

/// An output of the wallet, as it is in its transaction.
pub(super) fn txout(output: &WalletOutput) -> TxOut {
    TxOut { value: Amount::from_sat(output.value_sat), script_pubkey: output.script.clone() }
}
