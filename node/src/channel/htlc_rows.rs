//! HTLCs in the table `channel_htlcs` (`wallet/wallet.c:wallet_htlc_save_in`, `wallet_htlc_save_out`, `wallet_htlc_update`).

use super::rows::number;
use super::{HtlcKey, HtlcOrigin, LocalChannel, nanoseconds};
use crate::indexes::{Index, Subsystem};
use crate::state::State;
use bitcoin::hashes::Hash;
use leyden_bolt::channel::{Htlc, HtlcState, Record, Removal};
use leyden_bolt::transaction::Side;
use serde_json::json;
use std::collections::BTreeSet;

/// `direction` of an HTLC.
pub(crate) fn direction(owner: Side) -> u8 {
    match owner {
        Side::Remote => 0,
        Side::Local => 1,
    }
}

/// What the row of an HTLC says of its end.
#[derive(Default)]
struct End {
    payment_key: Option<[u8; 32]>,
    failuremsg: Option<Vec<u8>>,
    malformed_onion: u16,
}

impl End {
    fn of(removal: Option<&Removal>) -> Self {
        match removal {
            None => Self::default(),
            Some(Removal::Fulfill(preimage)) => Self { payment_key: Some(*preimage), ..Self::default() },
            Some(Removal::Fail(reason)) => Self { failuremsg: Some(reason.clone()), ..Self::default() },
            Some(Removal::FailMalformed { failure_code, .. }) => {
                Self { malformed_onion: *failure_code, ..Self::default() }
            }
        }
    }
}

impl State {
    /// Writes what of the HTLCs of a channel has changed.
    pub(super) fn store_htlcs(&mut self, dbid: u64, old: Option<&Record>, new: &Record) {
        for (key, htlc) in &new.htlcs {
            match old.and_then(|old| old.htlcs.get(key)) {
                None => self.insert_htlc(dbid, htlc, new),
                Some(before) if before == htlc => {}
                Some(_) => self.update_htlc(dbid, htlc),
            }
        }
        for htlc in old.iter().flat_map(|old| old.htlcs.values()) {
            if !new.htlcs.contains_key(&(htlc.owner, htlc.id)) {
                self.end_htlc(dbid, htlc, new);
            }
        }
    }

    fn insert_htlc(&mut self, dbid: u64, htlc: &Htlc, record: &Record) {
        let origin = self.channels.get(dbid).and_then(|channel| channel.origins.get(&htlc.id)).copied();
        let origin = origin.filter(|_| htlc.owner == Side::Local);
        let (partid, groupid) = match origin {
            Some(HtlcOrigin::Payment { partid, groupid, .. }) => {
                (Some(number(partid)), Some(number(groupid)))
            }
            _ => (None, None),
        };
        let incoming = match origin {
            Some(HtlcOrigin::Forward(key)) => Some(key),
            _ => None,
        };
        let incoming_row = incoming.and_then(|key| self.htlc_row(key));
        let incoming_msat = incoming.and_then(|key| {
            let channel = self.channels.get(key.dbid)?;
            channel.bolt.htlc(key.owner, key.id).map(|htlc| htlc.amount_msat)
        });
        let fees_msat = incoming_msat.map_or(0, |msat| msat.saturating_sub(htlc.amount_msat));
        let received = (htlc.owner == Side::Remote).then(|| nanoseconds((self.clock)()));
        let end = End::of(htlc.removal.as_ref());
        let least = record.next_commitment_number.into_iter().min().unwrap_or(1) - 1;
        let shared_secret = self.shared_secret(htlc).filter(|_| htlc.owner == Side::Remote);
        let index = self.count_htlc(dbid, htlc, Index::Created);
        let insert = "INSERT INTO channel_htlcs (id, channel_id, channel_htlc_id, direction, origin_htlc, msatoshi, \
                      cltv_expiry, payment_hash, payment_key, hstate, shared_secret, routing_onion, malformed_onion, \
                      partid, groupid, fees_msat, received_time, min_commit_num, fail_immediate) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);";
        self.db().exec(
            insert,
            &[
                &index,
                &dbid,
                &htlc.id,
                &direction(htlc.owner),
                &incoming_row,
                &number(htlc.amount_msat),
                &htlc.cltv_expiry,
                &htlc.payment_hash.to_byte_array(),
                &end.payment_key,
                &htlc.state.number(),
                &shared_secret.map(|secret| secret.0),
                &&htlc.onion[..],
                &end.malformed_onion,
                &partid,
                &groupid,
                &number(fees_msat),
                &received,
                &number(least),
                &htlc.fail_immediate,
            ],
        );
        self.count_offered(dbid, htlc);
        if htlc.owner == Side::Local {
            self.offer_committed(HtlcKey { dbid, id: htlc.id, owner: htlc.owner });
        }
        if let Some(incoming) = incoming {
            self.forward_offered(incoming, HtlcKey { dbid, id: htlc.id, owner: Side::Local });
        }
    }

    fn update_htlc(&mut self, dbid: u64, htlc: &Htlc) {
        let end = End::of(htlc.removal.as_ref());
        let index = self.count_htlc(dbid, htlc, Index::Updated).unwrap_or(0);
        let we_filled = self.we_filled(dbid, htlc);
        let update = "UPDATE channel_htlcs SET hstate=?, payment_key=?, malformed_onion=?, failuremsg=?, we_filled=?, \
                      updated_index=? WHERE channel_id=? AND channel_htlc_id=? AND direction=?";
        self.db().exec(
            update,
            &[
                &htlc.state.number(),
                &end.payment_key,
                &end.malformed_onion,
                &end.failuremsg,
                &we_filled,
                &index,
                &dbid,
                &htlc.id,
                &direction(htlc.owner),
            ],
        );
    }

    /// The HTLC is gone for good: nothing about it will be said again.
    fn end_htlc(&mut self, dbid: u64, htlc: &Htlc, record: &Record) {
        let state = match htlc.owner {
            Side::Local => HtlcState::RcvdRemoveAckRevocation,
            Side::Remote => HtlcState::SentRemoveAckRevocation,
        };
        let most = record.next_commitment_number.into_iter().max().unwrap_or(1) - 1;
        let ended = Htlc { state, ..htlc.clone() };
        let index = self.count_htlc(dbid, &ended, Index::Updated).unwrap_or(0);
        let update = "UPDATE channel_htlcs SET hstate=?, max_commit_num=?, updated_index=?, payment_key=NULL, \
                      routing_onion=NULL, failuremsg=NULL, shared_secret=NULL, localfailmsg=NULL \
                      WHERE channel_id=? AND channel_htlc_id=? AND direction=?";
        let params: [&dyn rusqlite::types::ToSql; 6] =
            [&state.number(), &number(most), &index, &dbid, &htlc.id, &direction(htlc.owner)];
        self.db().exec(update, &params);
    }

    /// Notes how an HTLC that we offered ended on the chain. Says whether that is news: the chain tells it again after a start
    /// or a reorganisation.
    pub(crate) fn settle_htlc_row(&mut self, dbid: u64, id: u64, end: Result<[u8; 32], &[u8]>) -> bool {
        let place = "channel_id=? AND channel_htlc_id=? AND direction=1 AND hstate!=?";
        let gone = HtlcState::RcvdRemoveAckRevocation.number();
        let open = format!(
            "SELECT 1 FROM channel_htlcs WHERE {place} AND payment_key IS NULL AND localfailmsg IS NULL"
        );
        if self.stored().rows(&open, &[&dbid, &id, &gone], |_| Ok(())).is_empty() {
            return false;
        }
        let state = HtlcState::RcvdRemoveHtlc;
        let htlc = self.channels.get(dbid).and_then(|channel| channel.bolt.htlc(Side::Local, id).cloned());
        let index = htlc.and_then(|htlc| self.count_htlc(dbid, &Htlc { state, ..htlc }, Index::Updated));
        let update = format!(
            "UPDATE channel_htlcs SET hstate=?, payment_key=?, localfailmsg=?, updated_index=? WHERE {place}"
        );
        let params: [&dyn rusqlite::types::ToSql; 7] =
            [&state.number(), &end.ok(), &end.err(), &index.unwrap_or(0), &dbid, &id, &gone];
        self.db().exec(&update, &params);
        true
    }

    /// The HTLCs that we offered and that have ended on the chain, by their ids.
    pub(super) fn settled_htlc_rows(&self, dbid: u64) -> BTreeSet<u64> {
        let ended =
            "SELECT channel_htlc_id FROM channel_htlcs WHERE channel_id=? AND direction=1 AND hstate=?";
        let state = HtlcState::RcvdRemoveHtlc.number();
        self.stored().rows(ended, &[&dbid, &state], |row| row.get(0)).into_iter().collect()
    }

    /// Counts a change of an HTLC (`lightningd/peer_htlcs.c:htlcs_index_inc`).
    fn count_htlc(&mut self, dbid: u64, htlc: &Htlc, index: Index) -> Option<i64> {
        let channel = self.channels.get(dbid)?;
        let scid = channel.scid.unwrap_or(channel.alias_local);
        self.count_change(Subsystem::Htlcs, index, || {
            json!({
                "state": htlc.state.name(),
                "short_channel_id": scid.to_string(),
                "direction": if htlc.owner == Side::Local { "out" } else { "in" },
                "htlc_id": htlc.id,
                "cltv_expiry": htlc.cltv_expiry,
                "payment_hash": htlc.payment_hash.to_string(),
                "amount_msat": htlc.amount_msat,
            })
        })
    }

    /// A channel is forgotten: its HTLCs count as deleted, though their rows stay until the next start (`htlcs_index_deleted`).
    pub(super) fn count_forgotten_htlcs(&mut self, channel: &LocalChannel) {
        let query = "SELECT COUNT(*) FROM channel_htlcs WHERE channel_id=?";
        let htlcs: i64 = self.stored().rows(query, &[&channel.dbid], |row| row.get(0)).pop().unwrap_or(0);
        let scid = channel.scid_or_alias();
        let about = || json!({ "short_channel_id": scid.to_string() });
        self.count_changes(Subsystem::Htlcs, Index::Deleted, htlcs, about);
    }

    /// Whether this node, and not the next one, knew the preimage; unknown of an incoming HTLC that has no end yet.
    fn we_filled(&self, dbid: u64, htlc: &Htlc) -> Option<bool> {
        let key = HtlcKey { dbid, id: htlc.id, owner: htlc.owner };
        let fulfilled = matches!(htlc.removal, Some(Removal::Fulfill(_)));
        let handed_on = || {
            let mut origins = self.channels.iter().flat_map(|channel| channel.origins.values());
            origins.any(|origin| *origin == HtlcOrigin::Forward(key))
        };
        match htlc.owner {
            Side::Local => Some(false),
            Side::Remote => (fulfilled && !handed_on()).then_some(true),
        }
    }

    /// The number of an HTLC in `channel_htlcs`.
    pub(crate) fn htlc_row(&self, key: HtlcKey) -> Option<i64> {
        let query = "SELECT id FROM channel_htlcs WHERE channel_id=? AND channel_htlc_id=? AND direction=?";
        self.stored().rows(query, &[&key.dbid, &key.id, &direction(key.owner)], |row| row.get(0)).pop()
    }

    fn count_offered(&mut self, dbid: u64, htlc: &Htlc) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let stats = match htlc.owner {
            Side::Local => &mut channel.out_stats,
            Side::Remote => &mut channel.in_stats,
        };
        stats.payments_offered += 1;
        stats.offered_msat += htlc.amount_msat;
    }
}
