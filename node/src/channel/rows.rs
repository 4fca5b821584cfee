//! Channels in CLN's tables: what of a channel is written, and when (`wallet/wallet.c:wallet_channel_save`).
//!
//! Of a row only those columns are written that have changed.

use super::LocalChannel;
use crate::state::State;
use bitcoin::Psbt;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ShortChannelId;
use leyden_bolt::channel::Record;
use leyden_bolt::gossip::Address;
use leyden_bolt::transaction::{ChannelConfig, Side};
use rusqlite::types::{ToSql, Value};

/// A column and what belongs into it.
pub(super) type Column = (&'static str, Value);

/// A number of 64 bits as SQLite takes it.
pub(super) fn number(number: u64) -> Value {
    Value::Integer(number.cast_signed())
}

fn text_number(scid: ShortChannelId) -> Value {
    number(scid.to_u64())
}

fn blob(bytes: impl Into<Vec<u8>>) -> Value {
    Value::Blob(bytes.into())
}

fn key(key: &PublicKey) -> Value {
    blob(key.serialize())
}

fn optional<T>(value: Option<T>, to: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, to)
}

impl LocalChannel {
    /// What never changes.
    fn fixed_columns(&self) -> Vec<Column> {
        let (terms, ours) = (self.bolt.terms(), self.bolt.keys().basepoints());
        let theirs = terms.remote;
        let our_funding = if terms.opener == Side::Local { terms.capacity_sat } else { 0 };
        let upfront = self.bolt.record().upfront_shutdown_script[Side::Remote as usize].clone();
        vec![
            ("first_blocknum", number(self.first_block.into())),
            ("revocation_basepoint_local", key(&ours.revocation)),
            ("payment_basepoint_local", key(&ours.payment)),
            ("htlc_basepoint_local", key(&ours.htlc)),
            ("delayed_payment_basepoint_local", key(&ours.delayed_payment)),
            ("funding_pubkey_local", key(&ours.funding_pubkey)),
            ("shachain_remote_id", Value::Integer(self.shachain_id)),
            ("full_channel_id", blob(self.channel_id().0)),
            ("funder", number(terms.opener as u64)),
            ("channel_flags", number(self.announce.into())),
            ("minimum_depth", number(self.minimum_depth.into())),
            ("funding_tx_id", blob(terms.funding.txid.to_byte_array())),
            ("funding_tx_outnum", number(terms.funding.vout.into())),
            ("funding_satoshi", number(terms.capacity_sat)),
            ("our_funding_satoshi", number(our_funding)),
            ("push_msatoshi", number(self.push_msat)),
            ("channel_config_local", Value::Integer(self.config_ids[0])),
            ("channel_config_remote", Value::Integer(self.config_ids[1])),
            ("remote_upfront_shutdown_script", optional(upfront, |script| blob(script.into_bytes()))),
            ("channel_type", blob(terms.channel_type.to_features().as_be_bytes())),
            ("fundingkey_remote", key(&theirs.funding_pubkey)),
            ("revocation_basepoint_remote", key(&theirs.revocation)),
            ("payment_basepoint_remote", key(&theirs.payment)),
            ("htlc_basepoint_remote", key(&theirs.htlc)),
            ("delayed_payment_basepoint_remote", key(&theirs.delayed_payment)),
        ]
    }

    /// The transaction that would end the channel now: a closing transaction with its signatures, or our commitment without.
    fn last_psbt(&self) -> Psbt {
        let mut tx = match &self.mutual_close {
            Some(closing) => closing.clone(),
            None => self.bolt.local_commitment().transaction().clone(),
        };
        let witness = tx.input.first_mut().map(|input| std::mem::take(&mut input.witness));
        let mut psbt = Psbt::from_unsigned_tx(tx).expect("its witness was taken out");
        if let (Some(input), true) = (psbt.inputs.first_mut(), self.mutual_close.is_some()) {
            input.final_script_witness = witness;
        }
        psbt
    }

    /// What the state machine changes.
    fn record_columns(&self, record: &Record) -> Vec<Column> {
        let [local, remote] = record.next_commitment_number;
        let shutdown = record.shutdown_script[Side::Remote as usize].clone();
        let (least, most) = self.our_msat_range;
        vec![
            ("next_index_local", number(local)),
            ("next_index_remote", number(remote)),
            ("next_htlc_id", number(record.next_htlc_id[Side::Local as usize])),
            ("funding_locked_remote", number(record.channel_ready[Side::Remote as usize].into())),
            ("msatoshi_local", number(record.our_msat)),
            ("shutdown_scriptpubkey_remote", optional(shutdown, |script| blob(script.into_bytes()))),
            ("last_tx", blob(self.last_psbt().serialize())),
            ("last_sig", blob(record.signatures.signature.serialize_compact())),
            ("last_was_revoke", number(record.last_was_revoke.into())),
            ("msatoshi_to_us_min", number(least)),
            ("msatoshi_to_us_max", number(most)),
            ("per_commit_remote", key(&record.remote_per_commit)),
            ("old_per_commit_remote", key(&record.old_remote_per_commit)),
        ]
    }

    /// What the node changes.
    fn own_columns(&self) -> Vec<Column> {
        let policy = self.policy;
        let peer = self.peer_policy;
        let lost = self.lost_state.then(|| key(&self.peer));
        let stats =
            |stats: &super::Stats, [offered, fulfilled, offered_msat, fulfilled_msat]: [&'static str; 4]| {
                [
                    (offered, number(stats.payments_offered)),
                    (fulfilled, number(stats.payments_fulfilled)),
                    (offered_msat, number(stats.offered_msat)),
                    (fulfilled_msat, number(stats.fulfilled_msat)),
                ]
            };
        let mut columns = vec![
            ("scid", optional(self.scid, text_number)),
            ("state", number(self.state.number().into())),
            ("shutdown_keyidx_local", number(self.final_key_index.into())),
            ("shutdown_scriptpubkey_local", blob(self.close_to.to_bytes())),
            ("closer", number(self.closer.map_or(2, |side| side as u64))),
            ("state_change_reason", number(self.cause.number().into())),
            ("feerate_base", number(policy.fee_base_msat.into())),
            ("feerate_ppm", number(policy.fee_proportional_millionths.into())),
            ("htlc_minimum_msat", number(policy.htlc_minimum_msat)),
            ("htlc_maximum_msat", number(policy.htlc_maximum_msat)),
            ("alias_local", text_number(self.alias_local)),
            ("alias_remote", optional(self.alias_remote, text_number)),
            ("ignore_fee_limits", number(self.ignore_fee_limits.into())),
            ("remote_feerate_base", optional(peer, |peer| number(peer.policy.fee_base_msat.into()))),
            (
                "remote_feerate_ppm",
                optional(peer, |peer| number(peer.policy.fee_proportional_millionths.into())),
            ),
            ("remote_cltv_expiry_delta", optional(peer, |peer| number(peer.cltv_expiry_delta.into()))),
            ("remote_htlc_minimum_msat", optional(peer, |peer| number(peer.policy.htlc_minimum_msat))),
            ("remote_htlc_maximum_msat", optional(peer, |peer| number(peer.policy.htlc_maximum_msat))),
            ("last_stable_connection", number(self.last_stable_connection)),
            ("close_attempt_height", number(self.close_attempt_height.into())),
            ("funding_psbt", optional(self.funding_psbt.clone(), Value::Blob)),
            ("withheld", number(self.withheld.into())),
            ("future_per_commitment_point", lost.unwrap_or(Value::Null)),
        ];
        let incoming =
            ["in_payments_offered", "in_payments_fulfilled", "in_msatoshi_offered", "in_msatoshi_fulfilled"];
        let outgoing = [
            "out_payments_offered",
            "out_payments_fulfilled",
            "out_msatoshi_offered",
            "out_msatoshi_fulfilled",
        ];
        columns.extend(stats(&self.in_stats, incoming));
        columns.extend(stats(&self.out_stats, outgoing));
        if self.mutual_close.is_some() {
            columns.push(("last_tx", blob(self.last_psbt().serialize())));
        }
        columns
    }
}

impl State {
    /// Makes the rows of a channel that is new. [`State::store_channel`] fills them.
    pub(super) fn insert_channel(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let (peer, terms) = (channel.peer, *channel.bolt.terms());
        let peer_id = self.store_peer(&peer);
        self.db().exec("INSERT INTO channels (id, peer_id) VALUES (?, ?);", &[&dbid, &peer_id]);
        let config_ids = terms.config.map(|config| self.insert_config(&config));
        let min_index = 1_i64 << 48;
        let insert = "INSERT INTO shachains (min_index, num_valid) VALUES (?, 0);";
        let shachain_id = self.db().insert(insert, &[&min_index]);
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        channel.config_ids = config_ids;
        channel.shachain_id = shachain_id;
        let columns = channel.fixed_columns();
        self.update_columns(dbid, &columns);
    }

    fn insert_config(&mut self, config: &ChannelConfig) -> i64 {
        let insert = "INSERT INTO channel_configs (dust_limit_satoshis, max_htlc_value_in_flight_msat, \
                      channel_reserve_satoshis, htlc_minimum_msat, to_self_delay, max_accepted_htlcs, \
                      max_dust_htlc_exposure_msat) VALUES (?, ?, ?, ?, ?, ?, ?);";
        self.db().insert(
            insert,
            &[
                &number(config.dust_limit_satoshis),
                &number(config.max_htlc_value_in_flight_msat),
                &number(config.channel_reserve_satoshis),
                &number(config.htlc_minimum_msat),
                &config.to_self_delay,
                &config.max_accepted_htlcs,
                &number(config.max_dust_htlc_exposure_msat),
            ],
        )
    }

    fn update_columns(&mut self, dbid: u64, columns: &[Column]) {
        if columns.is_empty() {
            return;
        }
        let assignments: Vec<String> = columns.iter().map(|(name, _)| format!("{name}=?")).collect();
        let update = format!("UPDATE channels SET {} WHERE id=?", assignments.join(", "));
        let mut params: Vec<&dyn ToSql> = columns.iter().map(|(_, value)| value as &dyn ToSql).collect();
        params.push(&dbid);
        self.db().exec(&update, &params);
    }

    /// Writes what of a channel has changed.
    pub(super) fn store_channel(&mut self, dbid: u64) {
        let Some(channel) = self.channels.by_dbid.get_mut(&dbid) else { return };
        let record = channel.bolt.record();
        let (least, most) = channel.our_msat_range;
        channel.our_msat_range = (least.min(record.our_msat), most.max(record.our_msat));
        let before = std::mem::take(&mut channel.stored_columns);
        let mut columns = if channel.stored.as_ref() == Some(&record) {
            Vec::new()
        } else {
            channel.record_columns(&record)
        };
        columns.extend(channel.own_columns());
        let changed: Vec<Column> =
            columns.into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
        channel.stored_columns = before;
        channel.stored_columns.extend(changed.iter().cloned());
        let stored = channel.stored.replace(record.clone());
        self.update_columns(dbid, &changed);
        if stored.as_ref() != Some(&record) {
            self.store_record(dbid, stored.as_ref(), &record);
        }
    }

    fn store_record(&mut self, dbid: u64, old: Option<&Record>, new: &Record) {
        if old.is_none_or(|old| old.fees != new.fees) {
            self.db().exec("DELETE FROM channel_feerates WHERE channel_id=?", &[&dbid]);
            for (state, feerate) in new.fees.rows() {
                let insert = "INSERT INTO channel_feerates VALUES(?, ?, ?)";
                self.db().exec(insert, &[&dbid, &state.number(), &feerate]);
            }
        }
        self.store_secrets(dbid, old, new);
        self.store_signatures(dbid, old, new);
        for (number, base) in &new.penalty_bases {
            if old.is_none_or(|old| !old.penalty_bases.contains_key(number)) {
                let insert = "INSERT INTO penalty_bases (channel_id, commitnum, txid, outnum, amount) VALUES (?, ?, ?, ?, ?);";
                let txid = base.txid.to_byte_array();
                self.db().exec(insert, &[&dbid, number, &txid, &base.outnum, &base.amount_sat]);
            }
        }
        self.store_htlcs(dbid, old, new);
    }

    fn store_secrets(&mut self, dbid: u64, old: Option<&Record>, new: &Record) {
        if old.is_some_and(|old| old.shachain == new.shachain) || new.shachain.next_number() == 0 {
            return;
        }
        let Some(id) = self.channels.get(dbid).map(|channel| channel.shachain_id) else { return };
        let count = u32::try_from(new.shachain.rows().count()).expect("at most 49 rows");
        let update = "UPDATE shachains SET num_valid=?, min_index=? WHERE id=?";
        self.db().exec(update, &[&count, &number(new.shachain.min_index()), &id]);
        let known = |pos| old.and_then(|old| old.shachain.rows().find(|row| row.pos == pos).copied());
        for row in new.shachain.rows().filter(|row| known(row.pos) != Some(**row)) {
            let update = "UPDATE shachain_known SET idx=?, hash=? WHERE shachain_id=? AND pos=?";
            let index = number(row.index);
            if self.db().exec(update, &[&index, &row.secret, &id, &row.pos]) == 0 {
                let insert = "INSERT INTO shachain_known (shachain_id, pos, idx, hash) VALUES (?, ?, ?, ?);";
                self.db().exec(insert, &[&id, &row.pos, &index, &row.secret]);
            }
        }
    }

    fn store_signatures(&mut self, dbid: u64, old: Option<&Record>, new: &Record) {
        let signatures = &new.signatures.htlc_signatures;
        let stored = old.map_or(&[][..], |old| &old.signatures.htlc_signatures);
        if stored == &signatures[..] {
            return;
        }
        self.db().exec("DELETE FROM htlc_sigs WHERE channelid = ?", &[&dbid]);
        for signature in signatures {
            let insert = "INSERT INTO htlc_sigs (channelid, signature) VALUES (?, ?)";
            self.db().exec(insert, &[&dbid, &signature.serialize_compact()]);
        }
    }

    /// The number of a peer with channels, whose row is made if need be (`wallet_peer_save`).
    fn store_peer(&mut self, peer: &PublicKey) -> i64 {
        let node_id = peer.serialize();
        let known =
            self.db().rows("SELECT id FROM peers WHERE node_id = ?", &[&node_id], |row| row.get(0)).pop();
        let id = match known {
            Some(id) => id,
            None => self.db().insert("INSERT INTO peers (node_id) VALUES (?);", &[&node_id]),
        };
        self.store_peer_address(peer);
        id
    }

    /// Notes where a peer with channels is.
    pub(super) fn store_peer_address(&mut self, peer: &PublicKey) {
        let node_id = peer.serialize();
        let known = self.peers.known_addresses.get(peer).copied();
        let connected = self.peers.iter().find(|(_, open)| open.id == *peer);
        let seen =
            connected.map(|(_, open)| (open.address.to_string(), open.features.as_be_bytes().to_vec()));
        if self.db().rows("SELECT 1 FROM peers WHERE node_id = ?", &[&node_id], |_| Ok(())).is_empty() {
            return;
        }
        if let Some((address, features)) = seen {
            let update = "UPDATE peers SET address = ?, feature_bits = ? WHERE node_id = ?";
            self.db().exec(update, &[&address, &features, &node_id]);
        }
        if let Some(known) = known {
            let update = "UPDATE peers SET last_known_address = ? WHERE node_id = ?";
            self.db().exec(update, &[&Address::Ip(known).encode(), &node_id]);
        }
    }
}
