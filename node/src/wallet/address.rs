//! Addresses of the on-chain wallet: the scripts behind them, and the command `newaddr`
//! (`wallet/walletrpc.c:json_newaddr`).

use super::weight::Change;
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::{Address, Script, ScriptBuf};
use leyden_protocol::deprecation::Deprecated;
use leyden_protocol::message::{RpcError, code};
use leyden_protocol::{Profile, json};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// BIP 32 has that many keys under one parent.
const KEYS: i64 = 1 << 31;

/// What `addresstype` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AddressType {
    P2tr,
    Bech32,
    All,
}

impl AddressType {
    /// What a caller names; `None` if nothing.
    fn parse(token: Option<&str>, profile: Profile) -> Result<Option<Self>, RpcError> {
        let taproot = profile.has_taproot_addresses();
        let Some(token) = token else { return Ok(None) };
        let named = match json::content(token) {
            "p2tr" if taproot => Self::P2tr,
            "bech32" => Self::Bech32,
            "all" => Self::All,
            other => {
                let kinds = if taproot { "'p2tr', 'bech32', or" } else { "'bech32' or" };
                return Err(invalid(format!("'addresstype' should be {kinds} 'all', not '{other}'")));
            }
        };
        Ok(Some(named))
    }

    /// What a caller gets who names nothing: both addresses, for a while, who wants what is deprecated.
    fn by_default(node: &mut State, request: &RpcRequest) -> Self {
        if !node.profile.has_taproot_addresses() {
            return Self::Bech32;
        }
        let both = Deprecated::Range("v25.12".to_owned(), Some("v26.12".to_owned()));
        let (source, ok) = (request.client.connection.log_source(), node.deprecated_for(&request.client));
        if node.deprecated_ok(&source, "addresstype.defaultbech32", &both, ok) {
            Self::All
        } else {
            Self::P2tr
        }
    }

    /// As it stands in the table `addresses` (`wallet.h:enum addrtype`).
    const fn stored(self) -> i64 {
        match self {
            Self::Bech32 => 2,
            Self::P2tr => 4,
            Self::All => 6,
        }
    }
}

/// `newaddr [addresstype]`.
pub(crate) struct Newaddr {
    kind: Option<AddressType>,
}

impl Command for Newaddr {
    const NAME: &'static str = "newaddr";
    const TAKES: &'static [Shape] = &[Shape::optional("addresstype")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        Ok(Self { kind: AddressType::parse(params.raw("addresstype"), node.profile)? })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let kind = self.kind.unwrap_or_else(|| AddressType::by_default(node, request));
        let index = node.new_address(kind)?;
        let mut result = Map::new();
        if kind != AddressType::P2tr {
            result.insert("bech32".to_owned(), Value::from(node.wallet.p2wpkh(index).to_string()));
        }
        if kind != AddressType::Bech32 && node.profile.has_taproot_addresses() {
            result.insert("p2tr".to_owned(), Value::from(node.wallet.p2tr(index).to_string()));
        }
        node.reply(&request.client, &result);
        Ok(())
    }
}

/// The scripts of every address that was given out, with the indexes of their keys.
#[derive(Default)]
pub(crate) struct Scripts(BTreeMap<ScriptBuf, u32>);

impl Scripts {
    /// The index of the key that spends from `script`, if the wallet has it.
    pub(crate) fn key_index(&self, script: &Script) -> Option<u32> {
        self.0.get(script).copied()
    }
}

impl State {
    /// A fresh address of the newest kind, for change and for what channels pay out: its key's index and its script.
    ///
    /// # Errors
    /// If the keys are exhausted.
    pub(crate) fn wallet_script(&mut self) -> Result<(u32, ScriptBuf), RpcError> {
        let taproot = self.profile.has_taproot_addresses();
        let index = self.new_address(if taproot { AddressType::P2tr } else { AddressType::Bech32 })?;
        Ok((index, self.wallet_address(index).script_pubkey()))
    }

    /// What [`State::wallet_script`] gives.
    pub(crate) fn change(&self) -> Change {
        if self.profile.has_taproot_addresses() { Change::P2tr } else { Change::P2wpkh }
    }

    /// The address of the newest kind for this key.
    pub(crate) fn wallet_address(&self, index: u32) -> Address {
        if self.profile.has_taproot_addresses() { self.wallet.p2tr(index) } else { self.wallet.p2wpkh(index) }
    }

    /// The database is open: learns the scripts of the addresses that were given out before.
    pub(crate) fn load_scripts(&mut self) {
        for index in 1..=self.last_key_index() {
            self.own_scripts_of(u32::try_from(index).expect("an index below 2^31"));
        }
    }

    /// Whatever kind of address was asked for: coins to the other kind are not lost.
    fn own_scripts_of(&mut self, index: u32) {
        for address in [self.wallet.p2wpkh(index), self.wallet.p2tr(index)] {
            self.scripts.0.insert(address.script_pubkey(), index);
        }
    }

    fn new_address(&mut self, kind: AddressType) -> Result<u32, RpcError> {
        let index = self.next_key_index()?;
        if self.profile.lists_addresses() {
            let insert = "INSERT INTO addresses (keyidx, addrtype) VALUES (?, ?);";
            self.db().exec(insert, &[&index, &kind.stored()]);
        }
        self.own_scripts_of(index);
        Ok(index)
    }

    fn key_counter(&self) -> &'static str {
        if self.wallet.is_bip86() { "bip86_max_index" } else { "bip32_max_index" }
    }

    fn last_key_index(&self) -> i64 {
        self.stored().intvar(self.key_counter()).unwrap_or(0)
    }

    /// Uses up an index; the first is 1. BIP 86 keys are counted on their own (`wallet.c:wallet_get_newindex`).
    fn next_key_index(&mut self) -> Result<u32, RpcError> {
        let index = self.last_key_index() + 1;
        if index >= KEYS {
            return Err(RpcError::new(code::LIGHTNINGD, "Keys exhausted "));
        }
        let name = self.key_counter();
        self.db().set_intvar(name, index);
        Ok(u32::try_from(index).expect("an index below 2^31"))
    }
}
