//! `newaddr`: addresses of the on-chain wallet (`wallet/walletrpc.c:json_newaddr`).

use super::Command;
use super::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, Value};

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
    fn parse(token: Option<&str>) -> Result<Self, RpcError> {
        match token.map(json::content) {
            None | Some("p2tr") => Ok(Self::P2tr),
            Some("bech32") => Ok(Self::Bech32),
            Some("all") => Ok(Self::All),
            Some(other) => {
                Err(invalid(format!("'addresstype' should be 'p2tr', 'bech32', or 'all', not '{other}'")))
            }
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
    kind: AddressType,
}

impl Command for Newaddr {
    const NAME: &'static str = "newaddr";
    const TAKES: &'static [Shape] = &[Shape::optional("addresstype")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self { kind: AddressType::parse(params.raw("addresstype"))? })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let index = node.next_key_index()?;
        if node.profile.lists_addresses() {
            let insert = "INSERT INTO addresses (keyidx, addrtype) VALUES (?, ?);";
            node.db().exec(insert, &[&index, &self.kind.stored()]);
        }
        let mut result = Map::new();
        if self.kind != AddressType::P2tr {
            result.insert("bech32".to_owned(), Value::from(node.wallet.p2wpkh(index).to_string()));
        }
        if self.kind != AddressType::Bech32 {
            result.insert("p2tr".to_owned(), Value::from(node.wallet.p2tr(index).to_string()));
        }
        node.reply(&request.client, &result);
        Ok(())
    }
}

impl State {
    /// Uses up an index; the first is 1. BIP 86 keys are counted on their own (`wallet.c:wallet_get_newindex`).
    fn next_key_index(&mut self) -> Result<u32, RpcError> {
        let name = if self.wallet.is_bip86() { "bip86_max_index" } else { "bip32_max_index" };
        let index = self.db().intvar(name).unwrap_or(0) + 1;
        if index >= KEYS {
            return Err(RpcError::new(code::LIGHTNINGD, "Keys exhausted "));
        }
        self.db().set_intvar(name, index);
        Ok(u32::try_from(index).expect("an index below 2^31"))
    }
}
