//! The table `forwards`, and `forward_event`, which tells of each change of it (`wallet/wallet.c:wallet_forwarded_payment_add`,
//! `lightningd/forwards.c`).

use super::failure::wire_name;
use crate::channel::{HtlcKey, LocalChannel};
use crate::db::Db;
use crate::indexes::{Index, Subsystem};
use crate::state::State;
use leyden_bolt::ShortChannelId;
use leyden_bolt::onion::FailureCode;
use rusqlite::{Row, ToSql};
use serde_json::{Value, json};
use std::time::UNIX_EPOCH;

/// How far a forward is; the number is the column `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForwardStatus {
    /// The next node has it.
    Offered = 0,
    /// It is paid.
    Settled = 1,
    /// A node behind us failed it.
    Failed = 2,
    /// This node failed it.
    LocalFailed = 3,
}

impl ForwardStatus {
    pub(super) const ALL: [Self; 4] = [Self::Offered, Self::Settled, Self::Failed, Self::LocalFailed];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Settled => "settled",
            Self::Failed => "failed",
            Self::LocalFailed => "local_failed",
        }
    }

    pub(super) const fn stored(self) -> i64 {
        self as i64
    }

    /// Whether somebody else has decided.
    const fn is_resolved(self) -> bool {
        matches!(self, Self::Settled | Self::Failed)
    }
}

/// The kind of payload that a forward had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Of fixed length.
    Legacy = 0,
    /// Records.
    Tlv = 1,
    /// Nobody looked. This is not stored.
    Unknown,
}

impl Style {
    /// The column `forward_style`.
    fn stored(self) -> Option<i64> {
        (self != Self::Unknown).then_some(self as i64)
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Legacy => Some("legacy"),
            Self::Tlv => Some("tlv"),
            Self::Unknown => None,
        }
    }
}

/// A forward, as it is stored and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forward {
    /// 0 if it is not known.
    pub(super) created_index: i64,
    /// 0 if it was never changed.
    pub(super) updated_index: i64,
    pub(super) in_channel: ShortChannelId,
    pub(super) in_htlc_id: u64,
    pub(super) in_msat: u64,
    pub(super) out_channel: Option<ShortChannelId>,
    pub(super) out_htlc_id: Option<u64>,
    pub(super) out_msat: Option<u64>,
    pub(super) status: ForwardStatus,
    pub(super) failcode: Option<FailureCode>,
    pub(super) style: Style,
    /// Nanoseconds since 1970.
    pub(super) received_time: i64,
    pub(super) resolved_time: Option<i64>,
}

/// What only `forward_event` tells.
#[derive(Debug, Clone, Default)]
struct Secrets {
    payment_hash: String,
    preimage: Option<String>,
}

/// The columns that [`Forward::read`] reads.
const COLUMNS: &str = "rowid, updated_index, in_channel_scid, in_htlc_id, in_msatoshi, out_channel_scid, \
                       out_htlc_id, out_msatoshi, state, failcode, forward_style, received_time, resolved_time";

impl Forward {
    /// What this node gets for it; 0 if it went nowhere.
    pub(super) fn fee_msat(&self) -> u64 {
        self.out_msat.map_or(0, |out_msat| self.in_msat.saturating_sub(out_msat))
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let scid = |stored: i64| ShortChannelId::from_u64(stored.cast_unsigned());
        let state: i64 = row.get(8)?;
        let style: Option<i64> = row.get(10)?;
        Ok(Self {
            created_index: row.get(0)?,
            updated_index: row.get(1)?,
            in_channel: scid(row.get(2)?),
            in_htlc_id: row.get::<_, i64>(3)?.cast_unsigned(),
            in_msat: row.get::<_, i64>(4)?.cast_unsigned(),
            out_channel: row.get::<_, Option<i64>>(5)?.map(scid),
            out_htlc_id: row.get::<_, Option<i64>>(6)?.map(i64::cast_unsigned),
            out_msat: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
            status: ForwardStatus::ALL
                .into_iter()
                .find(|status| status.stored() == state)
                .unwrap_or(ForwardStatus::Offered),
            failcode: row.get::<_, Option<u16>>(9)?.map(FailureCode),
            style: [Style::Legacy, Style::Tlv]
                .into_iter()
                .find(|one| one.stored() == style)
                .unwrap_or(Style::Unknown),
            received_time: row.get(11)?,
            resolved_time: row.get(12)?,
        })
    }
}

/// The forwards that `rest`, the end of a SELECT, finds.
pub(super) fn select(db: &Db, rest: &str, params: &[&dyn ToSql]) -> Vec<Forward> {
    db.rows(&format!("SELECT {COLUMNS} FROM forwards {rest}"), params, Forward::read)
}

impl State {
    /// Notes, and tells, that this node failed an HTLC that it might have handed on. `out_channel` is where it should have gone.
    pub(super) fn forward_failed(
        &mut self,
        incoming: HtlcKey,
        out_channel: Option<ShortChannelId>,
        code: FailureCode,
    ) {
        let Some(forward) = self.forward_of(incoming, ForwardStatus::LocalFailed) else { return };
        self.note_forward(incoming, Forward { out_channel, failcode: Some(code), ..forward }, None);
    }

    /// Notes, and tells, that this node failed an HTLC before it looked into its onion.
    pub(super) fn refused_unseen(&mut self, incoming: HtlcKey, code: FailureCode) {
        let Some(forward) = self.forward_of(incoming, ForwardStatus::LocalFailed) else { return };
        let forward = Forward { style: Style::Unknown, failcode: Some(code), ..forward };
        self.note_forward(incoming, forward, None);
    }

    /// Notes, and tells, how far an HTLC that was handed on is.
    pub(super) fn forwarded(
        &mut self,
        incoming: HtlcKey,
        outgoing: HtlcKey,
        status: ForwardStatus,
        failcode: Option<FailureCode>,
        preimage: Option<[u8; 32]>,
    ) {
        let Some(forward) = self.forward_of(incoming, status) else { return };
        let out_channel = self.channels.get(outgoing.dbid).map(LocalChannel::scid_or_alias);
        let forward = Forward {
            out_channel,
            out_htlc_id: Some(outgoing.id),
            out_msat: self.htlc_msat(outgoing),
            failcode,
            ..forward
        };
        self.note_forward(incoming, forward, preimage);
    }

    /// Notes, and tells, that an HTLC is handed on: the next node can be committed to it from now on.
    pub(crate) fn forward_offered(&mut self, incoming: HtlcKey, outgoing: HtlcKey) {
        self.forwarded(incoming, outgoing, ForwardStatus::Offered, None, None);
    }

    fn forward_of(&self, incoming: HtlcKey, status: ForwardStatus) -> Option<Forward> {
        let channel = self.channels.get(incoming.dbid)?;
        let received = "SELECT received_time FROM channel_htlcs WHERE channel_id = ? AND channel_htlc_id = ? \
                        AND direction = 0";
        let (dbid, id) = (incoming.dbid.cast_signed(), incoming.id.cast_signed());
        let received = self.stored().rows(received, &[&dbid, &id], |row| row.get::<_, Option<i64>>(0)).pop();
        Some(Forward {
            created_index: 0,
            updated_index: 0,
            in_channel: channel.scid_or_alias(),
            in_htlc_id: incoming.id,
            in_msat: self.htlc(incoming)?.amount_msat,
            out_channel: None,
            out_htlc_id: None,
            out_msat: None,
            status,
            failcode: None,
            style: self.forward_style(incoming),
            received_time: received.flatten().unwrap_or_default(),
            resolved_time: status.is_resolved().then(|| self.unix_nanoseconds()),
        })
    }

    fn note_forward(&mut self, incoming: HtlcKey, mut forward: Forward, preimage: Option<[u8; 32]>) {
        if !self.update_forward(&mut forward) {
            self.insert_forward(&mut forward);
        }
        let payment_hash = self.htlc(incoming).map(|htlc| htlc.payment_hash.to_string());
        let secrets =
            Secrets { payment_hash: payment_hash.unwrap_or_default(), preimage: preimage.map(hex::encode) };
        // Unlike `listforwards`, it does not tell the number of the outgoing HTLC.
        forward.out_htlc_id = None;
        let fields = self.forward_fields(&forward, Some(&secrets));
        self.notify_text("forward_event", &fields);
    }

    /// A forward as `listforwards` shows it.
    pub(super) fn forward_json(&self, forward: &Forward) -> String {
        self.forward_fields(forward, None)
    }

    fn forward_fields(&self, forward: &Forward, secrets: Option<&Secrets>) -> String {
        let profile = self.profile;
        let mut members = Vec::new();
        let mut add = |name: &str, value: Value| members.push(format!("\"{name}\":{value}"));
        for (name, index) in
            [("created_index", forward.created_index), ("updated_index", forward.updated_index)]
        {
            if index != 0 && profile.counts_changes() {
                add(name, index.into());
            }
        }
        if let Some(secrets) = secrets {
            add("payment_hash", secrets.payment_hash.clone().into());
        }
        add("in_channel", forward.in_channel.to_string().into());
        if profile.forward_names_htlc() {
            add("in_htlc_id", forward.in_htlc_id.into());
        }
        let is_named = forward.out_msat.is_some() || profile.forward_names_unknown_channel();
        if let Some(channel) = forward.out_channel.filter(|_| is_named) {
            add("out_channel", channel.to_string().into());
            if let Some(id) = forward.out_htlc_id.filter(|_| profile.forward_names_htlc()) {
                add("out_htlc_id", id.into());
            }
        }
        let fee = forward.out_msat.map(|_| forward.fee_msat());
        let amounts = [
            ("in_msatoshi", "in_msat", Some(forward.in_msat)),
            ("out_msatoshi", "out_msat", forward.out_msat),
            ("fee", "fee_msat", fee),
        ];
        for (bare, name, msat) in amounts {
            let Some(msat) = msat else { continue };
            if profile.forward_has_msatoshi() {
                add(bare, msat.into());
            }
            add(name, self.amount(msat));
        }
        add("status", forward.status.name().into());
        if let Some(code) = forward.failcode {
            add("failcode", code.0.into());
            add("failreason", wire_name(code).into());
        }
        if let Some(style) = forward.style.name().filter(|_| profile.forward_names_htlc()) {
            add("style", style.into());
        }
        let digits = profile.forward_time_digits();
        members.push(format!("\"received_time\":{}", seconds(forward.received_time, digits)));
        if let Some(resolved) = forward.resolved_time {
            members.push(format!("\"resolved_time\":{}", seconds(resolved, digits)));
        }
        let preimage = secrets.and_then(|secrets| secrets.preimage.clone());
        if let Some(preimage) = preimage.filter(|_| profile.forward_has_preimage()) {
            members.push(format!("\"preimage\":\"{preimage}\""));
        }
        format!("{{{}}}", members.join(","))
    }

    fn unix_nanoseconds(&self) -> i64 {
        let since = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// Nanoseconds since 1970 as seconds with so many digits behind the point.
fn seconds(nanoseconds: i64, digits: u32) -> String {
    let (second, unit) = (1_000_000_000, 10_i64.pow(9 - digits));
    let width = digits as usize;
    format!("{}.{:0width$}", nanoseconds / second, nanoseconds % second / unit)
}

fn failcode(forward: &Forward) -> Option<u16> {
    forward.failcode.map(|code| code.0)
}

impl State {
    /// Changes the row of a forward, if there is one.
    fn update_forward(&mut self, forward: &mut Forward) -> bool {
        let row: [&dyn ToSql; 8] = [
            &forward.in_msat.cast_signed(),
            &forward.out_msat.map(u64::cast_signed),
            &forward.status.stored(),
            &forward.resolved_time,
            &failcode(forward),
            &forward.style.stored(),
            &forward.in_htlc_id.cast_signed(),
            &forward.in_channel.to_u64().cast_signed(),
        ];
        let update = "UPDATE forwards SET in_msatoshi=?, out_msatoshi=?, state=?, resolved_time=?, failcode=?, \
                      forward_style=? WHERE in_htlc_id=? AND in_channel_scid=?";
        if self.db().exec(update, &row) == 0 {
            return false;
        }
        if let Some(index) = self.count_forward(Index::Updated, forward) {
            let update = "UPDATE forwards SET updated_index=? WHERE in_htlc_id=? AND in_channel_scid=?";
            let row: [&dyn ToSql; 3] =
                [&index, &forward.in_htlc_id.cast_signed(), &forward.in_channel.to_u64().cast_signed()];
            self.db().exec(update, &row);
            forward.updated_index = index;
        }
        true
    }

    fn insert_forward(&mut self, forward: &mut Forward) {
        let index = self.count_forward(Index::Created, forward);
        let insert = "INSERT INTO forwards (rowid, in_htlc_id, out_htlc_id, in_channel_scid, out_channel_scid, \
                      in_msatoshi, out_msatoshi, state, received_time, resolved_time, failcode, forward_style) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);";
        let row: [&dyn ToSql; 12] = [
            &index,
            &forward.in_htlc_id.cast_signed(),
            &forward.out_htlc_id.map(u64::cast_signed),
            &forward.in_channel.to_u64().cast_signed(),
            &forward.out_channel.map(|scid| scid.to_u64().cast_signed()),
            &forward.in_msat.cast_signed(),
            &forward.out_msat.map(u64::cast_signed),
            &forward.status.stored(),
            &forward.received_time,
            &forward.resolved_time,
            &failcode(forward),
            &forward.style.stored(),
        ];
        self.db().exec(insert, &row);
        forward.created_index = index.unwrap_or(0);
    }

    fn count_forward(&mut self, index: Index, forward: &Forward) -> Option<i64> {
        self.count_change(Subsystem::Forwards, index, || {
            let mut about = json!({
                "status": forward.status.name(),
                "in_channel": forward.in_channel.to_string(),
                "in_htlc_id": forward.in_htlc_id,
                "in_msat": forward.in_msat,
            });
            if let Some(channel) = forward.out_channel {
                about["out_channel"] = channel.to_string().into();
            }
            about
        })
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_have_all_their_digits() {
        assert_eq!(seconds(1_795_251_671_037_553_000, 9), "1795251671.037553000");
        assert_eq!(seconds(1_795_251_671_037_553_000, 3), "1795251671.037");
        assert_eq!(seconds(0, 3), "0.000");
    }
}
