//! The two versions of PSBTs: 0 (BIP 174), with a transaction, and 2 (BIP 370), with its parts in each input and output; and the command
//! `setpsbtversion` (`wallet/walletrpc.c:json_setpsbtversion`). The node works with version 0.

use super::psbt;
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::{VarInt, deserialize, deserialize_partial, serialize};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut};
use leyden_protocol::message::RpcError;
use serde_json::json;
use std::collections::BTreeMap;

const MAGIC: &[u8] = b"psbt\xff";

/// Types of global pairs.
mod global {
    pub(super) const UNSIGNED_TX: u8 = 0x00;
    pub(super) const TX_VERSION: u8 = 0x02;
    pub(super) const FALLBACK_LOCKTIME: u8 = 0x03;
    pub(super) const INPUT_COUNT: u8 = 0x04;
    pub(super) const OUTPUT_COUNT: u8 = 0x05;
    pub(super) const TX_MODIFIABLE: u8 = 0x06;
    pub(super) const VERSION: u8 = 0xfb;
    pub(super) const OF_VERSION_2: [u8; 6] =
        [TX_VERSION, FALLBACK_LOCKTIME, INPUT_COUNT, OUTPUT_COUNT, TX_MODIFIABLE, VERSION];
}

/// Types of pairs of an input.
mod input {
    pub(super) const PREVIOUS_TXID: u8 = 0x0e;
    pub(super) const OUTPUT_INDEX: u8 = 0x0f;
    pub(super) const SEQUENCE: u8 = 0x10;
    pub(super) const OF_VERSION_2: [u8; 5] = [PREVIOUS_TXID, OUTPUT_INDEX, SEQUENCE, 0x11, 0x12];
}

/// Types of pairs of an output.
mod output {
    pub(super) const AMOUNT: u8 = 0x03;
    pub(super) const SCRIPT: u8 = 0x04;
    pub(super) const OF_VERSION_2: [u8; 2] = [AMOUNT, SCRIPT];
}

/// Inputs and outputs may be added, as in what lightningd converts.
const MODIFIABLE: u8 = 3;

/// A version of PSBTs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PsbtVersion {
    V0,
    V2,
}

/// Pairs of a key, which begins with its type, and a value.
#[derive(Default)]
struct Map(BTreeMap<Vec<u8>, Vec<u8>>);

impl Map {
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut map = Self::default();
        loop {
            let key = prefixed(bytes)?;
            if key.is_empty() {
                return Some(map);
            }
            map.0.insert(key, prefixed(bytes)?);
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        for (key, value) in &self.0 {
            bytes.extend(serialize(key));
            bytes.extend(serialize(value));
        }
        bytes.push(0);
    }

    fn get(&self, kind: u8) -> Option<&[u8]> {
        self.0.get(&[kind][..]).map(Vec::as_slice)
    }

    fn number(&self, kind: u8) -> Option<u32> {
        self.get(kind)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn count(&self, kind: u8) -> Option<u64> {
        deserialize::<VarInt>(self.get(kind)?).ok().map(|count| count.0)
    }

    fn set(&mut self, kind: u8, value: impl Into<Vec<u8>>) {
        self.0.insert(vec![kind], value.into());
    }

    fn without(mut self, kinds: &[u8]) -> Self {
        self.0.retain(|key, _| key.len() != 1 || !kinds.contains(&key[0]));
        self
    }
}

/// Bytes behind their length.
fn prefixed(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let (value, read) = deserialize_partial::<Vec<u8>>(bytes).ok()?;
    *bytes = &bytes[read..];
    Some(value)
}

/// Reads a PSBT of either version.
pub(super) fn read(text: &str) -> Option<(Psbt, PsbtVersion)> {
    if let Ok(psbt) = text.parse() {
        return Some((psbt, PsbtVersion::V0));
    }
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let globals = Map::read(&mut rest).filter(|globals| globals.number(global::VERSION) == Some(2))?;
    let mut maps = |kind| (0..globals.count(kind)?).map(|_| Map::read(&mut rest)).collect::<Option<Vec<_>>>();
    let (inputs, outputs) = (maps(global::INPUT_COUNT)?, maps(global::OUTPUT_COUNT)?);
    let tx = Transaction {
        version: Version(globals.number(global::TX_VERSION)?.cast_signed()),
        lock_time: LockTime::from_consensus(globals.number(global::FALLBACK_LOCKTIME).unwrap_or(0)),
        input: inputs.iter().map(txin).collect::<Option<_>>()?,
        output: outputs.iter().map(txout).collect::<Option<_>>()?,
    };
    let mut globals = globals.without(&global::OF_VERSION_2);
    globals.set(global::UNSIGNED_TX, serialize(&tx));
    let inputs = inputs.into_iter().map(|map| map.without(&input::OF_VERSION_2));
    let outputs = outputs.into_iter().map(|map| map.without(&output::OF_VERSION_2));
    let mut bytes = MAGIC.to_vec();
    [globals].into_iter().chain(inputs).chain(outputs).for_each(|map| map.write(&mut bytes));
    Some((Psbt::deserialize(&bytes).ok()?, PsbtVersion::V2))
}

fn txin(map: &Map) -> Option<TxIn> {
    let txid = deserialize(map.get(input::PREVIOUS_TXID)?).ok()?;
    let sequence = map.number(input::SEQUENCE).map_or(Sequence::MAX, Sequence);
    let previous_output = OutPoint { txid, vout: map.number(input::OUTPUT_INDEX)? };
    Some(TxIn { previous_output, sequence, ..TxIn::default() })
}

fn txout(map: &Map) -> Option<TxOut> {
    let sat = u64::from_le_bytes(map.get(output::AMOUNT)?.try_into().ok()?);
    let script_pubkey = ScriptBuf::from_bytes(map.get(output::SCRIPT)?.to_vec());
    Some(TxOut { value: Amount::from_sat(sat), script_pubkey })
}

/// Writes a PSBT in a version.
pub(super) fn write(psbt: &Psbt, version: PsbtVersion) -> String {
    use base64::Engine as _;
    match version {
        PsbtVersion::V0 => psbt.to_string(),
        PsbtVersion::V2 => base64::engine::general_purpose::STANDARD.encode(version_2(psbt)),
    }
}

fn version_2(psbt: &Psbt) -> Vec<u8> {
    let written = psbt.serialize();
    let mut rest = &written[MAGIC.len()..];
    let mut next = || Map::read(&mut rest).expect("it was written just now");
    let tx = &psbt.unsigned_tx;
    let mut globals = next().without(&[global::UNSIGNED_TX]);
    globals.set(global::TX_VERSION, tx.version.0.to_le_bytes());
    globals.set(global::FALLBACK_LOCKTIME, tx.lock_time.to_consensus_u32().to_le_bytes());
    globals.set(global::INPUT_COUNT, serialize(&VarInt::from(tx.input.len())));
    globals.set(global::OUTPUT_COUNT, serialize(&VarInt::from(tx.output.len())));
    globals.set(global::TX_MODIFIABLE, [MODIFIABLE]);
    globals.set(global::VERSION, 2_u32.to_le_bytes());
    let mut bytes = MAGIC.to_vec();
    globals.write(&mut bytes);
    for txin in &tx.input {
        let mut map = next();
        map.set(input::PREVIOUS_TXID, serialize(&txin.previous_output.txid));
        map.set(input::OUTPUT_INDEX, txin.previous_output.vout.to_le_bytes());
        map.set(input::SEQUENCE, txin.sequence.0.to_le_bytes());
        map.write(&mut bytes);
    }
    for txout in &tx.output {
        let mut map = next();
        map.set(output::AMOUNT, txout.value.to_sat().to_le_bytes());
        map.set(output::SCRIPT, txout.script_pubkey.to_bytes());
        map.write(&mut bytes);
    }
    bytes
}

/// `setpsbtversion psbt version`.
pub(crate) struct Setpsbtversion {
    psbt: Psbt,
    version: PsbtVersion,
}

impl Command for Setpsbtversion {
    const NAME: &'static str = "setpsbtversion";
    const TAKES: &'static [Shape] = &[Shape::required("psbt"), Shape::required("version")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let psbt = psbt::param(params, "psbt")?;
        let version = match params.optional_integer("version")? {
            Some(0) => PsbtVersion::V0,
            Some(2) => PsbtVersion::V2,
            _ => return Err(invalid("Could not set PSBT version")),
        };
        Ok(Self { psbt, version })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.reply(&request.client, &json!({ "psbt": write(&self.psbt, self.version) }));
        Ok(())
    }
}
