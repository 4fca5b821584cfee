//! `listclosedchannels`: channels of which nothing but a row is left (`lightningd/closed_channel.c`).

use super::channel_state::{Cause, ChannelState};
use super::list::side_name;
use super::open::channel_type_json;
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Psbt, Txid};
use leyden_bolt::transaction::{ChannelType, Side};
use leyden_bolt::{ChannelId, Features, ShortChannelId};
use leyden_protocol::message::RpcError;
use rusqlite::Row;
use serde_json::{Map, Value, json};

/// `listclosedchannels [id]`.
pub(crate) struct Listclosedchannels {
    peer: Option<PublicKey>,
}

impl Command for Listclosedchannels {
    const NAME: &'static str = "listclosedchannels";
    const TAKES: &'static [Shape] = &[Shape::optional("id")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self { peer: params.optional_node_id("id")? })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let query = "SELECT node_id, full_channel_id, scid, alias_local, alias_remote, funder, closer, channel_flags, \
                     channel_type, next_index_local, next_index_remote, next_htlc_id, funding_tx_id, funding_tx_outnum, \
                     push_msatoshi, funding_psbt, withheld, funding_satoshi, msatoshi_local, msatoshi_to_us_min, \
                     msatoshi_to_us_max, last_tx, state_change_reason, last_stable_connection FROM channels LEFT JOIN peers \
                     ON peers.id = channels.peer_id WHERE state = ? ORDER BY channels.id";
        let closed = ChannelState::Closed.number();
        let wanted = self.peer.map(|peer| peer.serialize().to_vec());
        let channels: Vec<Value> = node
            .stored()
            .rows(query, &[&closed], |row| {
                let peer: Option<Vec<u8>> = row.get(0)?;
                let is_listed = wanted.is_none() || peer == wanted;
                is_listed.then(|| node.closed_entry(row)).transpose()
            })
            .into_iter()
            .flatten()
            .collect();
        node.reply(&request.client, &json!({ "closedchannels": channels }));
        Ok(())
    }
}

fn u64_column(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

fn side(number: u8) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| *side as u8 == number)
}

impl State {
    fn closed_entry(&self, row: &Row<'_>) -> rusqlite::Result<Value> {
        let mut entry = Map::new();
        let mut add = |name: &str, value: Value| drop(entry.insert(name.to_owned(), value));
        if let Some(peer) = row.get::<_, Option<Vec<u8>>>(0)? {
            add("peer_id", hex::encode(peer).into());
        }
        add("channel_id", ChannelId(row.get(1)?).to_string().into());
        let scid = |column| row.get::<_, Option<i64>>(column);
        let named = |number: i64| ShortChannelId::from_u64(number.cast_unsigned()).to_string();
        if let Some(scid) = scid(2)? {
            add("short_channel_id", named(scid).into());
        }
        let mut alias = Map::new();
        for (column, name) in [(3, "local"), (4, "remote")] {
            if let Some(scid) = scid(column)? {
                alias.insert(name.to_owned(), named(scid).into());
            }
        }
        if !alias.is_empty() {
            add("alias", alias.into());
        }
        let opener = side(row.get(5)?).unwrap_or(Side::Remote);
        add("opener", side_name(opener).into());
        if let Some(closer) = side(row.get(6)?) {
            add("closer", side_name(closer).into());
        }
        add("private", (row.get::<_, u8>(7)? & 1 == 0).into());
        let kind = Features::from_be_bytes(row.get(8)?);
        add("channel_type", channel_type_json(ChannelType::try_from(&kind).unwrap_or_default()));
        add("total_local_commitments", (u64_column(row, 9)? - 1).into());
        add("total_remote_commitments", (u64_column(row, 10)? - 1).into());
        add("total_htlcs_sent", u64_column(row, 11)?.into());
        add("funding_txid", Txid::from_byte_array(row.get(12)?).to_string().into());
        add("funding_outnum", row.get::<_, u32>(13)?.into());
        add("leased", false.into());
        let push_msat = u64_column(row, 14)?;
        if push_msat > 0 {
            add("funding_pushed_msat", self.amount(push_msat));
        }
        if let Some(psbt) = row.get::<_, Option<Vec<u8>>>(15)?.and_then(|psbt| Psbt::deserialize(&psbt).ok())
        {
            add("funding_psbt", psbt.to_string().into());
        }
        add("funding_withheld", row.get::<_, bool>(16)?.into());
        let capacity_sat = u64_column(row, 17)?;
        add("total_msat", self.amount(capacity_sat * 1000));
        add("final_to_us_msat", self.amount(u64_column(row, 18)?));
        add("min_to_us_msat", self.amount(u64_column(row, 19)?));
        add("max_to_us_msat", self.amount(u64_column(row, 20)?));
        if let Some(psbt) = row.get::<_, Option<Vec<u8>>>(21)?.and_then(|psbt| Psbt::deserialize(&psbt).ok())
        {
            let tx = &psbt.unsigned_tx;
            let paid_sat: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
            add("last_commitment_txid", tx.compute_txid().to_string().into());
            add("last_commitment_fee_msat", self.amount(capacity_sat.saturating_sub(paid_sat) * 1000));
        }
        let cause = Cause::from_number(row.get(22)?).unwrap_or(Cause::Unknown);
        add("close_cause", cause.name().into());
        let stable = u64_column(row, 23)?;
        if stable != 0 {
            add("last_stable_connection", stable.into());
        }
        Ok(entry.into())
    }
}
