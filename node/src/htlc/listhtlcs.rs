//! `listhtlcs` (`lightningd/peer_htlcs.c:json_listhtlcs`).

use crate::channel::LocalChannel;
use crate::channel::channel_state::ChannelState;
use crate::command::Command;
use crate::command::page::Page;
use crate::command::params::{Params, Shape};
use crate::db::Db;
use crate::indexes::Index;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_bolt::channel::HtlcState;
use leyden_bolt::{ChannelId, ShortChannelId};
use leyden_protocol::json as text;
use leyden_protocol::message::RpcError;
use rusqlite::Row;
use serde_json::{Value, json};

/// `direction` of an HTLC that this node offered.
const OFFERED: i64 = 1;

/// `listhtlcs [id] [index] [start] [limit]`.
pub(crate) struct Listhtlcs {
    /// The channel's row.
    channel: Option<i64>,
    page: Page,
}

/// A row of `channel_htlcs`, and the name of its channel.
struct StoredHtlc {
    created_index: i64,
    updated_index: i64,
    channel: Option<ShortChannelId>,
    id: i64,
    cltv_expiry: u32,
    direction: i64,
    amount_msat: u64,
    payment_hash: Vec<u8>,
    state: u8,
}

impl StoredHtlc {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let scid: Option<i64> = row.get(2)?;
        Ok(Self {
            created_index: row.get(0)?,
            updated_index: row.get(1)?,
            channel: scid.map(|scid| ShortChannelId::from_u64(scid.cast_unsigned())),
            id: row.get(3)?,
            cltv_expiry: row.get(4)?,
            direction: row.get(5)?,
            amount_msat: row.get::<_, i64>(6)?.cast_unsigned(),
            payment_hash: row.get(7)?,
            state: row.get(8)?,
        })
    }

    fn json(&self, node: &State) -> Value {
        let mut json = json!({ "created_index": self.created_index });
        if self.updated_index != 0 {
            json["updated_index"] = self.updated_index.into();
        }
        json["short_channel_id"] = self.channel.map(|scid| scid.to_string()).into();
        json["id"] = self.id.into();
        json["expiry"] = self.cltv_expiry.into();
        json["direction"] = if self.direction == OFFERED { "out" } else { "in" }.into();
        json["amount_msat"] = node.amount(self.amount_msat);
        json["payment_hash"] = hex::encode(&self.payment_hash).into();
        json["state"] = HtlcState::from_number(self.state).map(HtlcState::name).into();
        json
    }
}

impl Command for Listhtlcs {
    const NAME: &'static str = "listhtlcs";
    const TAKES: &'static [Shape] = &[
        Shape::optional("id"),
        Shape::optional("index"),
        Shape::optional("start"),
        Shape::optional("limit"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        Ok(Self {
            channel: params.raw("id").map(|token| channel(params, token, node)).transpose()?,
            page: Page::parse(params)?,
        })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let htlcs: Vec<Value> = self.find(node.stored()).iter().map(|htlc| htlc.json(node)).collect();
        node.reply(&request.client, &json!({ "htlcs": htlcs }));
        Ok(())
    }
}

impl Listhtlcs {
    fn find(&self, db: &Db) -> Vec<StoredHtlc> {
        let order = if self.page.index == Some(Index::Updated) { "h.updated_index" } else { "h.id" };
        let select = format!(
            "SELECT h.id, h.updated_index, COALESCE(channels.scid, channels.alias_local), h.channel_htlc_id, \
             h.cltv_expiry, h.direction, h.msatoshi, h.payment_hash, h.hstate FROM channel_htlcs h \
             JOIN channels ON channels.id = h.channel_id WHERE (channels.id = ?1 OR (?1 IS NULL AND \
             channels.state != ?2)) AND {order} >= ?3 ORDER BY {order} LIMIT ?4"
        );
        db.rows(
            &select,
            &[&self.channel, &i64::from(ChannelState::Closed.number()), &self.page.start, &self.page.limit],
            StoredHtlc::read,
        )
    }
}

/// The channel that `id` names, by its channel id or short channel id.
fn channel(params: &Params, token: &str, node: &State) -> Result<i64, RpcError> {
    let name = text::content(token);
    let found = match (name.parse::<ChannelId>(), name.parse::<ShortChannelId>()) {
        (Ok(id), _) => node.channels.by_channel_id(id),
        (_, Ok(scid)) => node.channels.by_scid(scid),
        _ => return Err(params.wrong("id", "must be channel id or short channel id")),
    };
    let dbid = found.map(|channel: &LocalChannel| channel.dbid.cast_signed());
    dbid.ok_or_else(|| params.wrong("id", "unknown channel"))
}
