//! Signatures for outputs of the wallet, and the command `signpsbt` (`hsmd`, `wallet/walletrpc.c:json_signpsbt`).

use super::output::WalletOutput;
use super::psbt::{self, txout};
use super::psbt_version::{self, PsbtVersion};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::ecdsa;
use bitcoin::key::{Keypair, TapTweak};
use bitcoin::secp256k1::{All, Message, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::{EcdsaSighashType, Psbt, PublicKey, TapSighashType, Transaction, TxOut, Witness, taproot};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::json;

impl State {
    /// Signs every input that spends an output of the wallet, if the PSBT says of each what it spends.
    pub(crate) fn sign_wallet_inputs(&self, psbt: &mut Psbt) {
        let ours: Vec<(usize, WalletOutput)> = self.own_inputs(psbt).collect();
        self.sign_inputs(psbt, &ours);
    }

    /// The inputs that spend outputs of the wallet, by place.
    fn own_inputs(&self, psbt: &Psbt) -> impl Iterator<Item = (usize, WalletOutput)> {
        let inputs = psbt.unsigned_tx.input.iter().enumerate();
        inputs.filter_map(|(place, input)| Some((place, self.wallet_output(input.previous_output)?)))
    }

    fn sign_inputs(&self, psbt: &mut Psbt, inputs: &[(usize, WalletOutput)]) {
        for (place, output) in inputs {
            psbt.inputs[*place].witness_utxo.get_or_insert_with(|| txout(output));
        }
        let secp = Secp256k1::new();
        let prevouts: Option<Vec<TxOut>> = (0..psbt.inputs.len()).map(|place| spent(psbt, place)).collect();
        for (place, output) in inputs {
            if let Some(close) = &output.close_info {
                let keys = self.hsm_secret.channel_keys(&close.peer, close.dbid);
                let value = bitcoin::Amount::from_sat(output.value_sat);
                let witness = keys.to_us_witness(close.anchors, &psbt.unsigned_tx, *place, value);
                psbt.inputs[*place].final_script_witness = Some(witness);
                continue;
            }
            let mut cache = SighashCache::new(&psbt.unsigned_tx);
            if !output.script.is_p2tr() {
                let signature = self.ecdsa(&secp, &mut cache, *place, output);
                psbt.inputs[*place].partial_sigs.extend(signature);
            } else if let Some(prevouts) = &prevouts {
                psbt.inputs[*place].tap_key_sig = self.schnorr(&secp, &mut cache, *place, output, prevouts);
            }
        }
    }

    fn ecdsa(
        &self,
        secp: &Secp256k1<All>,
        cache: &mut SighashCache<&Transaction>,
        place: usize,
        output: &WalletOutput,
    ) -> Option<(PublicKey, ecdsa::Signature)> {
        let key = self.wallet.secret_key(output.key_index);
        let kind = EcdsaSighashType::All;
        let value = bitcoin::Amount::from_sat(output.value_sat);
        let hash = cache.p2wpkh_signature_hash(place, &output.script, value, kind).ok()?;
        let signature = secp.sign_ecdsa_low_r(&Message::from(hash), &key);
        Some((PublicKey::new(key.public_key(secp)), ecdsa::Signature { signature, sighash_type: kind }))
    }

    fn schnorr(
        &self,
        secp: &Secp256k1<All>,
        cache: &mut SighashCache<&Transaction>,
        place: usize,
        output: &WalletOutput,
        prevouts: &[TxOut],
    ) -> Option<taproot::Signature> {
        let key = Keypair::from_secret_key(secp, &self.wallet.secret_key(output.key_index));
        let key = key.tap_tweak(secp, None).to_keypair();
        let kind = TapSighashType::Default;
        let prevouts = Prevouts::All(prevouts);
        let hash = cache.taproot_key_spend_signature_hash(place, &prevouts, kind).ok()?;
        let signature = secp.sign_schnorr_no_aux_rand(&Message::from(hash), &key);
        Some(taproot::Signature { signature, sighash_type: kind })
    }
}

/// What an input spends, if the PSBT says it.
fn spent(psbt: &Psbt, place: usize) -> Option<TxOut> {
    let input = &psbt.inputs[place];
    let outpoint = psbt.unsigned_tx.input[place].previous_output;
    let whole = || {
        let tx = input.non_witness_utxo.as_ref()?;
        tx.output.get(usize::try_from(outpoint.vout).ok()?).cloned()
    };
    input.witness_utxo.clone().or_else(whole)
}

/// Makes witnesses of signatures, and a transaction of it all. `None` if a signature is missing.
pub(crate) fn finalize(psbt: &mut Psbt) -> Option<Transaction> {
    for place in 0..psbt.inputs.len() {
        let script = spent(psbt, place).map(|output| output.script_pubkey);
        let input = &mut psbt.inputs[place];
        if input.final_script_witness.is_some() || input.final_script_sig.is_some() {
            continue;
        }
        let witness = match (&input.tap_key_sig, input.partial_sigs.iter().next()) {
            (Some(signature), _) => Witness::p2tr_key_spend(signature),
            (None, Some((key, signature))) if script?.is_p2wpkh() => Witness::p2wpkh(signature, &key.inner),
            _ => return None,
        };
        input.final_script_witness = Some(witness);
        input.tap_key_sig = None;
        input.partial_sigs.clear();
        input.bip32_derivation.clear();
    }
    let mut tx = psbt.unsigned_tx.clone();
    for (input, signed) in tx.input.iter_mut().zip(&psbt.inputs) {
        input.script_sig = signed.final_script_sig.clone().unwrap_or_default();
        input.witness = signed.final_script_witness.clone().unwrap_or_default();
    }
    Some(tx)
}

/// `signpsbt psbt [signonly]`.
pub(crate) struct Signpsbt {
    psbt: Psbt,
    version: PsbtVersion,
    inputs: Vec<(usize, WalletOutput)>,
}

impl Command for Signpsbt {
    const NAME: &'static str = "signpsbt";
    const TAKES: &'static [Shape] = &[Shape::required("psbt"), Shape::optional("signonly")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let (psbt, version) = psbt::param_of_version(params, "psbt")?;
        let only = places(params, psbt.inputs.len())?;
        let mut inputs = Vec::new();
        for (place, input) in psbt.unsigned_tx.input.iter().enumerate() {
            if only.as_ref().is_some_and(|only| !only.contains(&place)) {
                continue;
            }
            let outpoint = input.previous_output;
            let abort = |why| {
                let text = format!("Aborting PSBT signing. UTXO {outpoint} is {why}");
                RpcError::new(code::LIGHTNINGD, text)
            };
            match node.wallet_output(outpoint) {
                None if only.is_some() => return Err(abort("unknown (and specified by signonly)")),
                None => {}
                Some(output) if !output.is_reserved(node.topology.height()) => {
                    return Err(abort("not reserved"));
                }
                Some(output) => inputs.push((place, output)),
            }
        }
        if inputs.is_empty() {
            let text = "No wallet inputs to sign. Are you sure you added inputs to this PSBT? If not, then there \
                        is no need to sign it.";
            return Err(RpcError::new(code::LIGHTNINGD, text));
        }
        Ok(Self { psbt, version, inputs })
    }

    fn run(mut self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.sign_inputs(&mut self.psbt, &self.inputs);
        let signed = psbt_version::write(&self.psbt, self.version);
        node.reply(&request.client, &json!({ "signed_psbt": signed }));
        Ok(())
    }
}

/// `signonly`: the places of inputs.
fn places(params: &Params, inputs: usize) -> Result<Option<Vec<usize>>, RpcError> {
    let Some(raw) = params.raw("signonly") else { return Ok(None) };
    let elements = json::elements(raw).ok_or_else(|| params.wrong("signonly", "should be an array"))?;
    let place = |(index, token): (usize, &&str)| {
        let wrong = || crate::command::params::wrong_token("signonly", "should be an integer", token);
        let place: usize = json::content(token).parse().map_err(|_| wrong())?;
        if place < inputs {
            return Ok(place);
        }
        Err(invalid(format!("signonly[{index}]: {place} out of range")))
    };
    elements.iter().enumerate().map(place).collect::<Result<_, _>>().map(Some)
}
