//! A channel as the rows of CLN's tables have it (`wallet/wallet.c:wallet_stmt2channel`).

use super::billboard::Billboard;
use super::change::StateChange;
use super::channel_state::{Cause, ChannelState};
use super::htlc_rows::direction;
use super::{CloseFees, HtlcOrigin, LocalChannel, PeerPolicy, Policy, Stats};
use crate::state::State;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::{OutPoint, Psbt, ScriptBuf, Transaction, Txid};
use leyden_bolt::channel::{Channel, FeeStates, Htlc, HtlcState, Record, Removal};
use leyden_bolt::channel_keys::Basepoints;
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::transaction::{
    ChannelConfig, ChannelType, CommitmentSignatures, KnownSecret, PenaltyBase, Shachain, Side, Terms,
};
use leyden_bolt::{Features, ShortChannelId};
use rusqlite::Row;
use rusqlite::types::FromSql;
use std::collections::BTreeMap;

/// A row, by the names of its columns.
pub(super) struct Columns<'a, 'b>(pub(super) &'a Row<'b>);

impl Columns<'_, '_> {
    fn get<T: FromSql>(&self, name: &str) -> rusqlite::Result<T> {
        self.0.get(name)
    }

    fn number(&self, name: &str) -> rusqlite::Result<u64> {
        self.get::<i64>(name).map(i64::cast_unsigned)
    }

    fn script(&self, name: &str) -> rusqlite::Result<Option<ScriptBuf>> {
        Ok(self.get::<Option<Vec<u8>>>(name)?.map(ScriptBuf::from_bytes))
    }

    fn scid(&self, name: &str) -> rusqlite::Result<Option<ShortChannelId>> {
        let number = self.get::<Option<i64>>(name)?;
        Ok(number.map(|number| ShortChannelId::from_u64(number.cast_unsigned())))
    }

    fn key(&self, name: &str) -> rusqlite::Result<PublicKey> {
        let bytes: Vec<u8> = self.get(name)?;
        PublicKey::from_slice(&bytes).map_err(unreadable)
    }

    fn stats(&self, direction: &str) -> rusqlite::Result<Stats> {
        let number = |name: &str| self.number(&format!("{direction}_{name}"));
        Ok(Stats {
            payments_offered: number("payments_offered")?,
            payments_fulfilled: number("payments_fulfilled")?,
            offered_msat: number("msatoshi_offered")?,
            fulfilled_msat: number("msatoshi_fulfilled")?,
        })
    }
}

/// The complaint about a blob that somebody else has written.
fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error))
}

/// What a row of `channels` says, before what belongs to it in other tables is read.
pub(super) struct Loaded {
    pub(super) channel: Unrestored,
    pub(super) record: Record,
    pub(super) terms: Terms,
}

/// A channel but for its state machine.
pub(super) struct Unrestored {
    pub(super) dbid: u64,
    pub(super) peer: PublicKey,
    state: ChannelState,
    scid: Option<ShortChannelId>,
    alias_local: ShortChannelId,
    alias_remote: Option<ShortChannelId>,
    announce: bool,
    minimum_depth: u32,
    push_msat: u64,
    policy: Policy,
    peer_policy: Option<PeerPolicy>,
    final_key_index: u32,
    close_to: ScriptBuf,
    closer: Option<Side>,
    cause: Cause,
    in_stats: Stats,
    out_stats: Stats,
    our_msat_range: (u64, u64),
    first_block: u32,
    close_attempt_height: u32,
    last_stable_connection: u64,
    funding_psbt: Option<Vec<u8>>,
    withheld: bool,
    ignore_fee_limits: bool,
    mutual_close: Option<Transaction>,
    lost_state: bool,
    config_ids: [i64; 2],
    shachain_id: i64,
}

impl State {
    pub(super) fn read_channel(&self, row: &Columns<'_, '_>) -> rusqlite::Result<Loaded> {
        let dbid = row.number("id")?;
        let peer = row.key("node_id")?;
        let opener = if row.get::<u8>("funder")? == 0 { Side::Local } else { Side::Remote };
        let config_ids: [i64; 2] = [row.get("channel_config_local")?, row.get("channel_config_remote")?];
        let kind = Features::from_be_bytes(row.get("channel_type")?);
        let state = ChannelState::from_number(row.get("state")?).unwrap_or(ChannelState::Closed);
        let last_tx = row.get::<Option<Vec<u8>>>("last_tx")?.and_then(|psbt| Psbt::deserialize(&psbt).ok());
        let terms = Terms {
            opener,
            funding: OutPoint {
                txid: Txid::from_byte_array(row.get("funding_tx_id")?),
                vout: row.get("funding_tx_outnum")?,
            },
            capacity_sat: row.number("funding_satoshi")?,
            channel_type: ChannelType::try_from(&kind).map_err(unreadable)?,
            local: self.hsm_secret.channel_keys(&peer, dbid).basepoints(),
            remote: Basepoints {
                funding_pubkey: row.key("fundingkey_remote")?,
                revocation: row.key("revocation_basepoint_remote")?,
                payment: row.key("payment_basepoint_remote")?,
                delayed_payment: row.key("delayed_payment_basepoint_remote")?,
                htlc: row.key("htlc_basepoint_remote")?,
            },
            config: [self.load_config(config_ids[0])?, self.load_config(config_ids[1])?],
        };
        let record = self.read_record(row, dbid, state, opener)?;
        let channel = Unrestored {
            dbid,
            peer,
            state,
            scid: row.scid("scid")?,
            alias_local: row.scid("alias_local")?.unwrap_or(ShortChannelId::from_u64(0)),
            alias_remote: row.scid("alias_remote")?,
            announce: row.get::<u8>("channel_flags")? & 1 == 1,
            minimum_depth: row.get("minimum_depth")?,
            push_msat: row.number("push_msatoshi")?,
            policy: Policy {
                fee_base_msat: row.get("feerate_base")?,
                fee_proportional_millionths: row.get("feerate_ppm")?,
                htlc_minimum_msat: row.number("htlc_minimum_msat")?,
                htlc_maximum_msat: row.number("htlc_maximum_msat")?,
            },
            peer_policy: read_peer_policy(row)?,
            final_key_index: row.get("shutdown_keyidx_local")?,
            close_to: row.script("shutdown_scriptpubkey_local")?.unwrap_or_default(),
            closer: match row.get::<u8>("closer")? {
                0 => Some(Side::Local),
                1 => Some(Side::Remote),
                _ => None,
            },
            cause: Cause::from_number(row.get("state_change_reason")?).unwrap_or(Cause::Unknown),
            in_stats: row.stats("in")?,
            out_stats: row.stats("out")?,
            our_msat_range: (row.number("msatoshi_to_us_min")?, row.number("msatoshi_to_us_max")?),
            first_block: row.get("first_blocknum")?,
            close_attempt_height: row.get("close_attempt_height")?,
            last_stable_connection: row.number("last_stable_connection")?,
            funding_psbt: row.get("funding_psbt")?,
            withheld: row.get("withheld")?,
            ignore_fee_limits: row.get("ignore_fee_limits")?,
            mutual_close: last_tx.and_then(signed_closing),
            lost_state: row.get::<Option<Vec<u8>>>("future_per_commitment_point")?.is_some(),
            config_ids,
            shachain_id: row.get("shachain_remote_id")?,
        };
        Ok(Loaded { channel, record, terms })
    }

    fn load_config(&self, id: i64) -> rusqlite::Result<ChannelConfig> {
        let read = |row: &Row<'_>| {
            let row = Columns(row);
            Ok(ChannelConfig {
                dust_limit_satoshis: row.number("dust_limit_satoshis")?,
                max_htlc_value_in_flight_msat: row.number("max_htlc_value_in_flight_msat")?,
                channel_reserve_satoshis: row.number("channel_reserve_satoshis")?,
                htlc_minimum_msat: row.number("htlc_minimum_msat")?,
                to_self_delay: row.get("to_self_delay")?,
                max_accepted_htlcs: row.get("max_accepted_htlcs")?,
                max_dust_htlc_exposure_msat: row.number("max_dust_htlc_exposure_msat")?,
            })
        };
        let found = self.stored().rows("SELECT * FROM channel_configs WHERE id=?", &[&id], read).pop();
        found.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    fn read_record(
        &self,
        row: &Columns<'_, '_>,
        dbid: u64,
        state: ChannelState,
        opener: Side,
    ) -> rusqlite::Result<Record> {
        let shachain_id: i64 = row.get("shachain_remote_id")?;
        let secret = |row: &Row<'_>| {
            let index: i64 = row.get(1)?;
            Ok(KnownSecret { pos: row.get(0)?, index: index.cast_unsigned(), secret: row.get(2)? })
        };
        let query = "SELECT pos, idx, hash FROM shachain_known WHERE shachain_id=?";
        let shachain = Shachain::from_rows(self.stored().rows(query, &[&shachain_id], secret));
        let rate = |row: &Row<'_>| Ok((row.get::<_, u8>(0)?, row.get::<_, u32>(1)?));
        let query = "SELECT hstate, feerate_per_kw FROM channel_feerates WHERE channel_id=?";
        let rates = self.stored().rows(query, &[&dbid], rate);
        let rates =
            rates.into_iter().filter_map(|(state, rate)| Some((HtlcState::from_number(state)?, rate)));
        let fees = FeeStates::from_rows(opener, rates).ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let query = "SELECT MAX(channel_htlc_id) FROM channel_htlcs WHERE channel_id=? AND direction=?";
        let last =
            self.stored().rows(query, &[&dbid, &direction(Side::Remote)], |row| row.get::<_, Option<u64>>(0));
        let next_remote_htlc = last.into_iter().flatten().next().map_or(0, |last| last + 1);
        let revoked = shachain.next_number();
        let scripts =
            [row.script("shutdown_scriptpubkey_local")?, row.script("shutdown_scriptpubkey_remote")?];
        let closing =
            matches!(state, ChannelState::ShuttingDown | ChannelState::Sigexchange | ChannelState::Complete);
        let [local_script, remote_script] = scripts;
        Ok(Record {
            our_msat: row.number("msatoshi_local")?,
            next_commitment_number: [row.number("next_index_local")?, row.number("next_index_remote")?],
            next_htlc_id: [row.number("next_htlc_id")?, next_remote_htlc],
            fees,
            htlcs: self.load_htlcs(dbid),
            remote_per_commit: row.key("per_commit_remote")?,
            old_remote_per_commit: row.key("old_per_commit_remote")?,
            shachain,
            signatures: self.load_signatures(dbid, &row.get::<Vec<u8>>("last_sig")?)?,
            last_was_revoke: row.get("last_was_revoke")?,
            channel_ready: [state != ChannelState::AwaitingLockin, row.get("funding_locked_remote")?],
            aliases: [row.scid("alias_local")?, row.scid("alias_remote")?],
            upfront_shutdown_script: [None, row.script("remote_upfront_shutdown_script")?],
            shutdown_script: [local_script.filter(|_| closing), remote_script],
            penalty_bases: self.load_penalty_bases(dbid, revoked),
        })
    }

    fn load_signatures(&self, dbid: u64, last_sig: &[u8]) -> rusqlite::Result<CommitmentSignatures> {
        let read = |bytes: &[u8]| Signature::from_compact(bytes).map_err(unreadable);
        let query = "SELECT signature FROM htlc_sigs WHERE channelid=? ORDER BY rowid";
        let rows: Vec<Vec<u8>> = self.stored().rows(query, &[&dbid], |row| row.get(0));
        let htlc_signatures: Result<_, _> = rows.iter().map(|bytes| read(bytes)).collect();
        Ok(CommitmentSignatures { signature: read(last_sig)?, htlc_signatures: htlc_signatures? })
    }

    /// Those of commitments that the peer has not revoked; of the others plugins have been told.
    fn load_penalty_bases(&self, dbid: u64, revoked: u64) -> BTreeMap<u64, PenaltyBase> {
        let read = |row: &Row<'_>| {
            let commitment_number: u64 = row.get(0)?;
            let txid = Txid::from_byte_array(row.get(1)?);
            let base = PenaltyBase { commitment_number, txid, outnum: row.get(2)?, amount_sat: row.get(3)? };
            Ok((commitment_number, base))
        };
        let query =
            "SELECT commitnum, txid, outnum, amount FROM penalty_bases WHERE channel_id=? AND commitnum>=?";
        self.stored().rows(query, &[&dbid, &revoked], read).into_iter().collect()
    }

    fn load_htlcs(&self, dbid: u64) -> BTreeMap<(Side, u64), Htlc> {
        let query = "SELECT * FROM channel_htlcs WHERE channel_id=? AND hstate NOT IN (9, 19)";
        let rows = self.stored().rows(query, &[&dbid], |row| read_htlc(&Columns(row)));
        rows.into_iter().map(|htlc| ((htlc.owner, htlc.id), htlc)).collect()
    }
}

impl Unrestored {
    pub(super) fn restored(
        self,
        bolt: Channel,
        origins: BTreeMap<u64, HtlcOrigin>,
        changes: Vec<StateChange>,
        record: Record,
    ) -> LocalChannel {
        let failed = matches!(self.state, ChannelState::AwaitingUnilateral);
        LocalChannel {
            dbid: self.dbid,
            peer: self.peer,
            state: self.state,
            scid: self.scid,
            alias_local: self.alias_local,
            alias_remote: self.alias_remote,
            announce: self.announce,
            minimum_depth: self.minimum_depth,
            depth: 0,
            push_msat: self.push_msat,
            policy: self.policy,
            older_policy: None,
            peer_policy: self.peer_policy,
            final_key_index: self.final_key_index,
            close_to: self.close_to,
            closer: self.closer,
            cause: self.cause,
            changes,
            in_stats: self.in_stats,
            out_stats: self.out_stats,
            our_msat_range: self.our_msat_range,
            first_block: self.first_block,
            close_attempt_height: self.close_attempt_height,
            last_stable_connection: self.last_stable_connection,
            funding_psbt: self.funding_psbt,
            withheld: self.withheld,
            ignore_fee_limits: self.ignore_fee_limits,
            mutual_close: self.mutual_close,
            close_fees: CloseFees::default(),
            connection: None,
            reestablished: false,
            billboard: Billboard::loaded(),
            error: failed.then(|| "Awaiting unilateral close".to_owned()),
            lost_state: self.lost_state,
            origins,
            stored: Some(record),
            stored_columns: BTreeMap::new(),
            config_ids: self.config_ids,
            shachain_id: self.shachain_id,
            bolt,
        }
    }
}

fn read_peer_policy(row: &Columns<'_, '_>) -> rusqlite::Result<Option<PeerPolicy>> {
    let Some(fee_base_msat) = row.get("remote_feerate_base")? else { return Ok(None) };
    Ok(Some(PeerPolicy {
        policy: Policy {
            fee_base_msat,
            fee_proportional_millionths: row.get("remote_feerate_ppm")?,
            htlc_minimum_msat: row.number("remote_htlc_minimum_msat")?,
            htlc_maximum_msat: row.number("remote_htlc_maximum_msat")?,
        },
        cltv_expiry_delta: row.get("remote_cltv_expiry_delta")?,
    }))
}

fn read_htlc(row: &Columns<'_, '_>) -> rusqlite::Result<Htlc> {
    let owner = if row.get::<u8>("direction")? == 0 { Side::Remote } else { Side::Local };
    let state = HtlcState::from_number(row.get("hstate")?).ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let onion: Vec<u8> = row.get::<Option<Vec<u8>>>("routing_onion")?.unwrap_or_default();
    let onion: Box<[u8; 1366]> =
        onion.into_boxed_slice().try_into().map_err(|_| rusqlite::Error::QueryReturnedNoRows)?;
    let removing = matches!(state.number() % 10, 5..=9);
    let failure_code: u16 = row.get::<Option<u16>>("malformed_onion")?.unwrap_or(0);
    let preimage: Option<[u8; 32]> = row.get("payment_key")?;
    let reason: Option<Vec<u8>> = row.get("failuremsg")?;
    let removal = match (preimage, reason) {
        _ if !removing => None,
        (Some(preimage), _) => Some(Removal::Fulfill(preimage)),
        (None, Some(reason)) => Some(Removal::Fail(reason)),
        (None, None) => {
            let sha256_of_onion = sha256::Hash::hash(&onion[..]).to_byte_array();
            Some(Removal::FailMalformed { sha256_of_onion, failure_code })
        }
    };
    Ok(Htlc {
        owner,
        id: row.number("channel_htlc_id")?,
        amount_msat: row.number("msatoshi")?,
        payment_hash: sha256::Hash::from_byte_array(row.get("payment_hash")?),
        cltv_expiry: row.get("cltv_expiry")?,
        onion,
        tlvs: TlvStream::new(),
        state,
        removal,
        fail_immediate: row.get("fail_immediate")?,
    })
}

/// A closing transaction with its signatures; a commitment is stored without.
fn signed_closing(psbt: Psbt) -> Option<Transaction> {
    let witness = psbt.inputs.first()?.final_script_witness.clone()?;
    let mut tx = psbt.unsigned_tx;
    tx.input.first_mut()?.witness = witness;
    Some(tx)
}
