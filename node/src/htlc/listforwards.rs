//! `listforwards`, `delforward` (`lightningd/forwards.c`).

use super::forwards::{self, Forward, ForwardStatus};
use crate::command::Command;
use crate::command::page::Page;
use crate::command::params::{Params, Shape, invalid};
use crate::db::Db;
use crate::indexes::{Index, Subsystem};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_bolt::ShortChannelId;
use leyden_protocol::message::RpcError;
use serde_json::json;

/// `DELFORWARD_NOT_FOUND` of `common/jsonrpc_errors.h`.
const NOT_FOUND: i64 = 1401;

/// `listforwards [status] [in_channel] [out_channel] [index] [start] [limit]`.
pub(crate) struct Listforwards {
    status: Option<ForwardStatus>,
    in_channel: Option<ShortChannelId>,
    out_channel: Option<ShortChannelId>,
    page: Page,
}

impl Command for Listforwards {
    const NAME: &'static str = "listforwards";
    const TAKES: &'static [Shape] = &[
        Shape::optional("status"),
        Shape::optional("in_channel"),
        Shape::optional("out_channel"),
        Shape::optional("index"),
        Shape::optional("start"),
        Shape::optional("limit"),
    ];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let status = params.raw("status").map(|_| status(params)).transpose()?;
        let in_channel = params.optional_short_channel_id("in_channel")?;
        let out_channel = params.optional_short_channel_id("out_channel")?;
        let page = Page::parse(params)?;
        if page.start != 0 && (in_channel.is_some() || out_channel.is_some()) {
            return Err(invalid("Cannot use start with in_channel or out_channel"));
        }
        Ok(Self { status, in_channel, out_channel, page })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let found: Vec<String> =
            self.find(node.stored()).iter().map(|forward| node.forward_json(forward)).collect();
        node.reply_text(&request.client, format!(r#"{{"forwards":[{}]}}"#, found.join(",")));
        Ok(())
    }
}

impl State {
    /// What this node has got for all its forwards, deleted ones included (`wallet/wallet.c:wallet_total_forward_fees`).
    pub(crate) fn forward_fees_msat(&self) -> u64 {
        let sum = "SELECT COALESCE(SUM(in_msatoshi - out_msatoshi), 0) FROM forwards WHERE state = ?";
        let sum =
            self.stored().rows(sum, &[&ForwardStatus::Settled.stored()], |row| row.get::<_, i64>(0)).pop();
        let deleted = self.stored().intvar("deleted_forward_fees");
        (sum.unwrap_or(0) + deleted.unwrap_or(0)).cast_unsigned()
    }
}

impl Listforwards {
    fn find(&self, db: &Db) -> Vec<Forward> {
        let status = self.status.map(ForwardStatus::stored);
        let scid = |channel: Option<ShortChannelId>| channel.map(|scid| scid.to_u64().cast_signed());
        let (in_channel, out_channel) = (scid(self.in_channel), scid(self.out_channel));
        let order = if self.page.index == Some(Index::Updated) { "updated_index" } else { "rowid" };
        let rest = format!(
            "WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR in_channel_scid = ?2) AND (?3 IS NULL OR \
             out_channel_scid = ?3) AND {order} >= ?4 ORDER BY {order} LIMIT ?5"
        );
        forwards::select(db, &rest, &[&status, &in_channel, &out_channel, &self.page.start, &self.page.limit])
    }
}

fn status(params: &Params) -> Result<ForwardStatus, RpcError> {
    let wanted = params.string("status")?;
    let found = ForwardStatus::ALL.into_iter().find(|status| status.name() == wanted);
    found.ok_or_else(|| params.wrong("status", "Unrecognized status"))
}

/// `delforward in_channel in_htlc_id status`.
pub(crate) struct Delforward {
    in_channel: ShortChannelId,
    in_htlc_id: u64,
    status: ForwardStatus,
}

impl Command for Delforward {
    const NAME: &'static str = "delforward";
    const TAKES: &'static [Shape] =
        &[Shape::required("in_channel"), Shape::required("in_htlc_id"), Shape::required("status")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let required = "the shape requires it";
        let in_channel = params.optional_short_channel_id("in_channel")?.expect(required);
        let in_htlc_id = params.optional_u64("in_htlc_id")?.expect(required);
        let status = status(params)?;
        if status == ForwardStatus::Offered {
            return Err(params.wrong("status", "delforward status cannot be offered"));
        }
        Ok(Self { in_channel, in_htlc_id, status })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        if !node.delete_forward(self.in_channel, self.in_htlc_id, self.status) {
            return Err(RpcError::new(NOT_FOUND, "Could not find that forward"));
        }
        node.reply(&request.client, &json!({}));
        Ok(())
    }
}

impl State {
    /// Deletes a forward that has this status. Says whether there was one.
    fn delete_forward(&mut self, in_channel: ShortChannelId, in_htlc_id: u64, status: ForwardStatus) -> bool {
        let (scid, id) = (in_channel.to_u64().cast_signed(), in_htlc_id.cast_signed());
        let place = "WHERE in_channel_scid = ? AND in_htlc_id = ? AND state = ?";
        let deleted = forwards::select(self.stored(), place, &[&scid, &id, &status.stored()]);
        if deleted.is_empty() {
            return false;
        }
        if status == ForwardStatus::Settled {
            let fees: u64 = deleted.iter().map(Forward::fee_msat).sum();
            let before = self.db().intvar("deleted_forward_fees").unwrap_or(0);
            self.db().set_intvar("deleted_forward_fees", before + fees.cast_signed());
        }
        self.db().exec(&format!("DELETE FROM forwards {place}"), &[&scid, &id, &status.stored()]);
        self.count_change(Subsystem::Forwards, Index::Deleted, || {
            json!({ "status": status.name(), "in_channel": in_channel.to_string(), "in_htlc_id": in_htlc_id })
        });
        true
    }
}
