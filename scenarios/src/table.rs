//! The list of all scenarios.

use crate::scenario::Scenario;

/// Calls a macro with the names of all scenarios, by subject.
///
/// ```
/// macro_rules! names {
///     ($($subject:ident: $($name:ident)+;)+) => { [$($(stringify!($name)),+),+] };
/// }
/// assert!(leyden_scenarios::every_scenario!(names).contains(&"peer_refused"));
/// ```
#[macro_export]
macro_rules! every_scenario {
    ($then:ident) => {
        $then! {
            manifest: options_of_every_type manifest_in_pieces bad_manifests taken_names;
            options: listed_options options_at_plugin_start deprecated_options older_listconfigs;
            setconfig: changed_options;
            init: proxy_in_init features_of_plugins;
            lifecycle: started_and_stopped disabled_by_itself shutdown_of_the_node;
            directories: plugin_directories start_refused;
            pass_through: pass_through progress;
            hooks: hook_order hook_cycles hook_in_use hook_outlived hook_fatal;
            rpc_command: rpc_command_verdicts rpc_command_chain rpc_command_modified_twice rpc_command_within
                rpc_command_bundled;
            rpc_socket: rpc_refusals rpc_checks rpc_filters rpc_callers rpc_caller_gone;
            answers: many_answers;
            rpc_methods: caller_ids checked_methods deprecated_methods messages;
            peers: peer_accepted peer_refused connect_and_disconnect;
            custommsg: custommsg_both_ways custommsg_not_understood;
            onion_messages: onion_messages;
            chain: block_added mock_chain;
            backend: backend_of_bitcoind backend_answers_badly backend_incomplete backend_loses_blocks backend_forks
                backend_dies backend_catches_up backend_shared;
            fees: feerates fee_change feerates_unknown feerates_by_name waitblockheight;
            logs: warning_and_log;
            topics: custom_topics every_topic balance_snapshot;
            invoices: invoice_created invoice_signed invoices_waited_for
                invoice_over_private_channel;
            faults: dies_in_a_hook dies_in_a_method nonsense_in_a_method dies_in_init important_plugin_dies fatal_error;
            shelf: shelf_of_starts shelf_of_methods shelf_of_commands shelf_of_peers;
            recovery: recovered;
            releases: old_release;
            channels: channel_life channel_refused channel_to_another_address;
            opening: zeroconf opened_together;
            gossip: known_everywhere known_after_restart;
            payments: payment_life htlc_verdicts;
            paying: sent_again ready_onion ways_found paid_by_pay paid_in_parts;
            forwards: forwards_refused forwards_listed;
            htlc_accepted: htlc_modified htlc_failed htlc_replayed;
            invoice_payment: invoice_payment_verdicts invoice_in_parts keysend_received;
            reconnect: reconnected;
            restarts: everything_kept payments_resumed parts_resumed payments_replayed channel_life_resumed;
            revocation: commitment_revocation;
            onchain: closed_by_one_side htlcs_on_payers_commitment htlcs_on_payees_commitment revoked_commitment
                funding_reorganised closing_reorganised;
            deadlines: deadlines;
            raised_fees: fees_raised;
            wallet: wallet_withdraw wallet_psbts psbt_versions wallet_reorg;
            crash: crash_at_hook crash_before_commit;
            plugin_faults: plugin_faults chain_faults;
            db_write: db_write db_write_refused db_write_versions;
        }
    };
}

macro_rules! table {
    ($($subject:ident: $($name:ident)+;)+) => {
        /// All scenarios.
        pub fn scenarios() -> Vec<Scenario> {
            vec![$($(crate::$subject::$name().named(stringify!($name))),+),+]
        }
    };
}
every_scenario!(table);

/// The scenario called `name`.
///
/// # Panics
/// If there is none.
pub fn scenario(name: &str) -> Scenario {
    scenarios()
        .into_iter()
        .find(|scenario| scenario.name == name)
        .unwrap_or_else(|| panic!("there is no scenario called {name}"))
}
