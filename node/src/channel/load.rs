//! Channels out of the database, when a node starts (`wallet/wallet.c:wallet_channels_load_active`).

use super::change::StateChange;
use super::channel_state::{Cause, ChannelState};
use super::stored::{Columns, Loaded};
use super::{HtlcKey, HtlcOrigin};
use crate::chain::broadcast::Broadcast;
use crate::peer::session::socket_address;
use crate::state::State;
use crate::wallet::sign::finalize;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::channel::Channel;
use leyden_bolt::transaction::Side;
use rusqlite::Row;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

impl State {
    /// Reads every channel that is not closed. Wrong rows end the node: with another commitment than the peer has signed,
    /// money could be lost.
    pub(crate) fn load_channels(&mut self) {
        let last =
            self.stored().rows("SELECT MAX(id) FROM channels", &[], |row| row.get::<_, Option<u64>>(0));
        self.channels.last_dbid = last.into_iter().flatten().next().unwrap_or(0);
        self.load_addresses();
        let query = "SELECT channels.*, peers.node_id FROM channels JOIN peers ON peers.id = channels.peer_id \
                     WHERE state != ? ORDER BY channels.id";
        let closed = ChannelState::Closed.number();
        let loaded = self.stored().rows(query, &[&closed], |row| self.read_channel(&Columns(row)));
        for Loaded { channel, record, terms } in loaded {
            let (dbid, keys) = (channel.dbid, self.hsm_secret.channel_keys(&channel.peer, channel.dbid));
            let bolt = match Channel::restore(terms, keys, record.clone()) {
                Ok(bolt) => bolt,
                Err(error) => return self.fatal(&format!("Channel {dbid} cannot be loaded: {error}")),
            };
            let origins = self.load_origins(dbid);
            let changes = self.load_changes(dbid);
            self.channels.by_dbid.insert(dbid, channel.restored(bolt, origins, changes, record));
        }
    }

    fn load_addresses(&mut self) {
        let query = "SELECT node_id, last_known_address FROM peers WHERE last_known_address IS NOT NULL";
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            self.stored().rows(query, &[], |row| Ok((row.get(0)?, row.get(1)?)));
        for (peer, address) in rows {
            if let (Ok(peer), Some(address)) = (PublicKey::from_slice(&peer), socket_address(&address)) {
                self.peers.known_addresses.insert(peer, address);
            }
        }
    }

    /// Why those of our HTLCs were offered that are there.
    fn load_origins(&self, dbid: u64) -> BTreeMap<u64, HtlcOrigin> {
        let query = "SELECT ours.channel_htlc_id, ours.payment_hash, ours.partid, ours.groupid, theirs.channel_id, \
                     theirs.channel_htlc_id FROM channel_htlcs AS ours \
                     LEFT JOIN channel_htlcs AS theirs ON theirs.id = ours.origin_htlc \
                     WHERE ours.channel_id=? AND ours.direction=1 AND ours.hstate NOT IN (9, 19)";
        let read = |row: &Row<'_>| {
            let incoming: (Option<u64>, Option<u64>) = (row.get(4)?, row.get(5)?);
            let origin = match incoming {
                (Some(dbid), Some(id)) => HtlcOrigin::Forward(HtlcKey { dbid, id, owner: Side::Remote }),
                _ => HtlcOrigin::Payment {
                    payment_hash: sha256::Hash::from_byte_array(row.get(1)?),
                    partid: row.get::<_, Option<i64>>(2)?.unwrap_or(0).cast_unsigned(),
                    groupid: row.get::<_, Option<i64>>(3)?.unwrap_or(0).cast_unsigned(),
                },
            };
            Ok((row.get(0)?, origin))
        };
        self.stored().rows(query, &[&dbid], read).into_iter().collect()
    }

    fn load_changes(&self, dbid: u64) -> Vec<StateChange> {
        let query = "SELECT timestamp, old_state, new_state, cause, message FROM channel_state_changes \
                     WHERE channel_id=? ORDER BY timestamp, rowid";
        let read = |row: &Row<'_>| {
            let nanoseconds: i64 = row.get(0)?;
            let state = |number| ChannelState::from_number(number).unwrap_or(ChannelState::Closed);
            Ok(StateChange {
                at: SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds.cast_unsigned()),
                old: state(row.get(1)?),
                new: state(row.get(2)?),
                cause: Cause::from_number(row.get(3)?).unwrap_or(Cause::Unknown),
                message: row.get(4)?,
            })
        };
        self.stored().rows(query, &[&dbid], read)
    }

    /// Everything is up: what channels have on the chain is followed, and what has to get there is sent again.
    pub(crate) fn resume_channels(&mut self) {
        let dbids: Vec<u64> = self.channels.iter().map(|channel| channel.dbid).collect();
        for dbid in dbids {
            let Some(state) = self.channels.get(dbid).map(|channel| channel.state) else { continue };
            self.watch_funding(dbid);
            match state {
                ChannelState::Complete | ChannelState::AwaitingUnilateral => self.drop_to_chain(dbid),
                _ if self.opened_by_us(dbid) => self.send_funding_again(dbid),
                _ => {}
            }
            self.want_feerate(dbid);
        }
        self.load_onchain();
        self.connect_to_channel_peers();
    }

    fn send_funding_again(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let txid = channel.funding().txid;
        if self.tx_location(txid).is_some() {
            return;
        }
        // A node that ended before bitcoind had taken it has stored no transaction.
        let unsent = channel.stored_funding_psbt().filter(|_| !channel.withheld);
        let signed = || unsent.and_then(|mut psbt| finalize(&mut psbt));
        if let Some(tx) = self.stored_tx(txid).or_else(signed) {
            self.broadcast(tx, Broadcast::Funding(dbid));
        }
    }
}
