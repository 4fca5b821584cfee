//! Where releases differ, row by row: each test plays one row of the table on a node of each release (and of the
//! manual's text), from outside. `rows.txt` has all rows, also those that cannot be looked at yet, with the reason.
//!
//! `tests/groundtruth` holds whole frames against recordings; here is what differs, in words.

mod chain;
mod channels;
mod coins;
mod four;
mod hooks;
mod htlcs;
mod life;
mod manifest;
mod notifications;
mod payments;
mod requests;

macro_rules! rows {
    ($($module:ident: $($row:ident)+;)+) => {
        mod profiles {
            $($(
                #[tokio::test]
                async fn $row() -> leyden::Result {
                    super::$module::$row().await
                }
            )+)+

            /// The rows that have a test.
            pub(super) const TESTED: &[&str] = &[$($(stringify!($row)),+),+];
        }
    };
}

rows! {
    requests: request_id unknown_response_id rpc_without_jsonrpc help_entry amounts commands;
    manifest: features_key feature_set_keys option_types bool_values flag_default option_name duplicate_option
        duplicate_method method_description method_usage deprecated init_error_reply init_proxy_flag;
    life: env_and_cwd timeouts waits_for_init_replies plugin_path same_plugin_twice plugin_list_entry plugin_stop_text
        plugin_stop_mechanics plugin_start_relative restart_on_changed_file disable_log_level check;
    notifications: notifications_before_init_reply connect disconnect block_added shutdown warning
        custom_notifications star newer_topics balance_snapshot invoice_creation;
    hooks: hook_mode before_and_after filters hook_error_reply hooks_available peer_connected custommsg_hook
        rpc_command_payload rpc_command_replace;
    chain: db_write getchaininfo_params estimatefees sendrawtransaction;
    coins: coin_movement;
    channels: channel_opened channel_state_changed commitment_revocation openchannel_result openchannel_amounts;
    htlcs: htlc_accepted_layout htlc_accepted_names htlc_accepted_fail htlc_accepted_modifiers invoice_payment_msat
        invoice_payment_without_result forward_event;
    payments: legacy_onions payment_parts;
}

/// `<row> <what it is about>`, or `<row> -- <why it has no test>`.
const ROWS: &str = include_str!("rows.txt");

#[test]
fn every_row_of_the_profiles_has_a_test_or_a_reason() {
    let (untested, tested): (Vec<&str>, Vec<&str>) = ROWS.lines().partition(|line| line.contains(" -- "));
    let name = |line: &&str| line.split(' ').next().unwrap_or_default().to_owned();
    let mut listed: Vec<String> = tested.iter().map(name).collect();
    let mut written: Vec<String> = profiles::TESTED.iter().map(|row| (*row).to_owned()).collect();
    listed.sort();
    written.sort();
    assert_eq!(listed, written, "rows.txt says (left) which rows have a test (right)");
    assert!(
        untested.iter().map(name).all(|row| !listed.contains(&row)),
        "a row has a test and a reason not to"
    );
}
