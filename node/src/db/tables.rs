//! The tables of coins, channels and payments: names and columns as in CLN v26.06.6's final schema, the text our own.

/// What the wallet owns and has seen.
pub(super) const WALLET: [&str; 4] = [
    "CREATE TABLE outputs (prev_out_tx BLOB, prev_out_index INTEGER, value INTEGER, type INTEGER, status \
     INTEGER, keyindex INTEGER, channel_id INTEGER, peer_id BLOB, commitment_point BLOB, confirmation_height \
     INTEGER REFERENCES blocks(height) ON DELETE SET NULL, spend_height INTEGER REFERENCES blocks(height) ON \
     DELETE SET NULL, scriptpubkey BLOB, reserved_til INTEGER DEFAULT NULL, option_anchor_outputs INTEGER \
     DEFAULT 0, csv_lock INTEGER DEFAULT 1, is_in_coinbase INTEGER DEFAULT 0, PRIMARY KEY (prev_out_tx, \
     prev_out_index))",
    "CREATE TABLE transactions (id BLOB, blockheight INTEGER REFERENCES blocks(height) ON DELETE SET NULL, \
     txindex INTEGER, rawtx BLOB, type INTEGER, channel_id INTEGER, PRIMARY KEY (id))",
    "CREATE TABLE channeltxs (id INTEGER, channel_id INTEGER REFERENCES channels(id) ON DELETE CASCADE, type \
     INTEGER, transaction_id BLOB REFERENCES transactions(id) ON DELETE CASCADE, input_num INTEGER, \
     blockheight INTEGER REFERENCES blocks(height) ON DELETE CASCADE, PRIMARY KEY (id))",
    "CREATE INDEX output_height_idx ON outputs (confirmation_height, spend_height)",
];

/// Channels, their HTLCs and what is needed to punish old states.
pub(super) const CHANNELS: [&str; 13] = [
    "CREATE TABLE shachains (id INTEGER, min_index INTEGER, num_valid INTEGER, PRIMARY KEY (id))",
    "CREATE TABLE shachain_known (shachain_id INTEGER REFERENCES shachains(id) ON DELETE CASCADE, pos \
     INTEGER, idx INTEGER, hash BLOB, PRIMARY KEY (shachain_id, pos))",
    "CREATE TABLE channel_configs (id INTEGER, dust_limit_satoshis INTEGER, max_htlc_value_in_flight_msat \
     INTEGER, channel_reserve_satoshis INTEGER, htlc_minimum_msat INTEGER, to_self_delay INTEGER, \
     max_accepted_htlcs INTEGER, max_dust_htlc_exposure_msat INTEGER DEFAULT 50000000, PRIMARY KEY (id))",
    "CREATE TABLE channels (id INTEGER, peer_id INTEGER REFERENCES peers(id) ON DELETE CASCADE, \
     short_channel_id TEXT, channel_config_local INTEGER, channel_config_remote INTEGER, state INTEGER, \
     funder INTEGER, channel_flags INTEGER, minimum_depth INTEGER, next_index_local INTEGER, \
     next_index_remote INTEGER, next_htlc_id INTEGER, funding_tx_id BLOB, funding_tx_outnum INTEGER, \
     funding_satoshi INTEGER, funding_locked_remote INTEGER, push_msatoshi INTEGER, msatoshi_local INTEGER, \
     fundingkey_remote BLOB, revocation_basepoint_remote BLOB, payment_basepoint_remote BLOB, \
     htlc_basepoint_remote BLOB, delayed_payment_basepoint_remote BLOB, per_commit_remote BLOB, \
     old_per_commit_remote BLOB, local_feerate_per_kw INTEGER, remote_feerate_per_kw INTEGER, \
     shachain_remote_id INTEGER, shutdown_scriptpubkey_remote BLOB, shutdown_keyidx_local INTEGER, \
     last_sent_commit_state INTEGER, last_sent_commit_id INTEGER, last_tx BLOB, last_sig BLOB, \
     closing_fee_received INTEGER, closing_sig_received BLOB, first_blocknum INTEGER, last_was_revoke \
     INTEGER, in_payments_offered INTEGER DEFAULT 0, in_payments_fulfilled INTEGER DEFAULT 0, \
     in_msatoshi_offered INTEGER DEFAULT 0, in_msatoshi_fulfilled INTEGER DEFAULT 0, out_payments_offered \
     INTEGER DEFAULT 0, out_payments_fulfilled INTEGER DEFAULT 0, out_msatoshi_offered INTEGER DEFAULT 0, \
     out_msatoshi_fulfilled INTEGER DEFAULT 0, min_possible_feerate INTEGER, max_possible_feerate INTEGER, \
     msatoshi_to_us_min INTEGER, msatoshi_to_us_max INTEGER, future_per_commitment_point BLOB, \
     last_sent_commit BLOB, feerate_base INTEGER, feerate_ppm INTEGER, remote_upfront_shutdown_script BLOB, \
     remote_ann_node_sig BLOB, remote_ann_bitcoin_sig BLOB, option_static_remotekey INTEGER DEFAULT 0, \
     shutdown_scriptpubkey_local BLOB, our_funding_satoshi INTEGER DEFAULT 0, option_anchor_outputs INTEGER \
     DEFAULT 0, full_channel_id BLOB DEFAULT NULL, funding_psbt BLOB DEFAULT NULL, closer INTEGER DEFAULT 2, \
     state_change_reason INTEGER DEFAULT 0, funding_tx_remote_sigs_received INTEGER DEFAULT 0, \
     revocation_basepoint_local BLOB, payment_basepoint_local BLOB, htlc_basepoint_local BLOB, \
     delayed_payment_basepoint_local BLOB, funding_pubkey_local BLOB, shutdown_wrong_txid BLOB DEFAULT NULL, \
     shutdown_wrong_outnum INTEGER DEFAULT NULL, local_static_remotekey_start INTEGER DEFAULT 0, \
     remote_static_remotekey_start INTEGER DEFAULT 0, lease_commit_sig BLOB DEFAULT NULL, lease_chan_max_msat \
     INTEGER DEFAULT NULL, lease_chan_max_ppt INTEGER DEFAULT NULL, lease_expiry INTEGER DEFAULT 0, \
     htlc_maximum_msat INTEGER DEFAULT 2100000000000000, htlc_minimum_msat INTEGER DEFAULT 0, alias_local \
     INTEGER DEFAULT NULL, alias_remote INTEGER DEFAULT NULL, scid INTEGER, require_confirm_inputs_remote \
     INTEGER DEFAULT 0, require_confirm_inputs_local INTEGER DEFAULT 0, channel_type BLOB DEFAULT NULL, \
     ignore_fee_limits INTEGER DEFAULT 0, remote_feerate_base INTEGER DEFAULT NULL, remote_feerate_ppm \
     INTEGER DEFAULT NULL, remote_cltv_expiry_delta INTEGER DEFAULT NULL, remote_htlc_maximum_msat INTEGER \
     DEFAULT NULL, remote_htlc_minimum_msat INTEGER DEFAULT NULL, last_stable_connection INTEGER DEFAULT 0, \
     close_attempt_height INTEGER DEFAULT 0, old_scids BLOB DEFAULT NULL, withheld INTEGER DEFAULT 0, PRIMARY \
     KEY (id))",
    "CREATE TABLE channel_htlcs (id INTEGER, channel_id INTEGER REFERENCES channels(id) ON DELETE CASCADE, \
     channel_htlc_id INTEGER, direction INTEGER, origin_htlc INTEGER, msatoshi INTEGER, cltv_expiry INTEGER, \
     payment_hash BLOB, payment_key BLOB, routing_onion BLOB, failuremsg BLOB, malformed_onion INTEGER, \
     hstate INTEGER, shared_secret BLOB, received_time INTEGER, partid INTEGER, localfailmsg BLOB, we_filled \
     INTEGER, groupid INTEGER, min_commit_num INTEGER DEFAULT 0, max_commit_num INTEGER DEFAULT NULL, \
     fail_immediate INTEGER DEFAULT 0, fees_msat INTEGER DEFAULT 0, updated_index INTEGER DEFAULT 0, PRIMARY \
     KEY (id), UNIQUE (channel_id, channel_htlc_id, direction))",
    "CREATE TABLE htlc_sigs (channelid INTEGER REFERENCES channels(id) ON DELETE CASCADE, signature BLOB, \
     inflight_tx_id BLOB, inflight_tx_outnum INTEGER)",
    "CREATE TABLE channel_feerates (channel_id INTEGER REFERENCES channels(id) ON DELETE CASCADE, hstate \
     INTEGER, feerate_per_kw INTEGER, UNIQUE (channel_id, hstate))",
    "CREATE TABLE channel_state_changes (channel_id INTEGER REFERENCES channels(id) ON DELETE CASCADE, \
     timestamp INTEGER, old_state INTEGER, new_state INTEGER, cause INTEGER, message TEXT)",
    "CREATE TABLE penalty_bases (channel_id INTEGER REFERENCES channels(id) ON DELETE CASCADE, commitnum \
     INTEGER, txid BLOB, outnum INTEGER, amount INTEGER, PRIMARY KEY (channel_id, commitnum))",
    "CREATE TABLE local_anchors (channel_id INTEGER REFERENCES channels(id), commitment_index INTEGER, \
     commitment_txid BLOB, commitment_anchor_outnum INTEGER, commitment_fee INTEGER, commitment_weight \
     INTEGER)",
    "CREATE INDEX channel_idx ON htlc_sigs (channelid)",
    "CREATE INDEX channel_state_changes_channel_id ON channel_state_changes (channel_id)",
    "CREATE INDEX channel_htlcs_speedup_unresolved_idx ON channel_htlcs (channel_id, direction) WHERE hstate \
     NOT IN (9, 19)",
];

/// HTLCs that were passed on.
pub(super) const FORWARDS: [&str; 1] = [
    "CREATE TABLE forwards (in_channel_scid INTEGER, in_htlc_id INTEGER, out_channel_scid INTEGER, \
     out_htlc_id INTEGER, in_msatoshi INTEGER, out_msatoshi INTEGER, state INTEGER, received_time INTEGER, \
     resolved_time INTEGER, failcode INTEGER, forward_style INTEGER, updated_index INTEGER DEFAULT 0, PRIMARY \
     KEY (in_channel_scid, in_htlc_id))",
];

/// What plugins are told as `coin_movement`.
pub(super) const MOVES: [&str; 3] = [
    "CREATE TABLE move_accounts (id INTEGER, name TEXT, PRIMARY KEY (id), UNIQUE (name))",
    "CREATE TABLE chain_moves (id INTEGER, account_channel_id INTEGER REFERENCES channels(id), \
     account_nonchannel_id INTEGER REFERENCES move_accounts(id), tag_bitmap INTEGER NOT NULL, credit_or_debit \
     INTEGER NOT NULL, timestamp INTEGER NOT NULL, utxo BLOB NOT NULL, spending_txid BLOB, peer_id BLOB, \
     payment_hash BLOB, block_height INTEGER NOT NULL, output_sat INTEGER NOT NULL, originating_channel_id \
     INTEGER REFERENCES channels(id), originating_nonchannel_id INTEGER REFERENCES move_accounts(id), \
     output_count INTEGER, PRIMARY KEY (id))",
    "CREATE TABLE channel_moves (id INTEGER, account_channel_id INTEGER REFERENCES channels(id), \
     account_nonchannel_id INTEGER REFERENCES move_accounts(id), tag_bitmap INTEGER NOT NULL, credit_or_debit \
     INTEGER NOT NULL, timestamp INTEGER NOT NULL, payment_hash BLOB, payment_part_id INTEGER, \
     payment_group_id INTEGER, fees INTEGER NOT NULL, PRIMARY KEY (id))",
];
