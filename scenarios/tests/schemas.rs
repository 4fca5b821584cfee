//! CLN's published schemas against all that embedded nodes say in the scenarios, where they are at hand: `LEYDEN_SCHEMAS`.
//!
//! Each scenario is held against them whenever it is played. Here those are played that together show all that an embedded node can say: how
//! much was validated is printed, and nothing that CLN has published may be missing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use leyden::transcript::Frame;
use leyden::{Backend, Profile, Result, catalogue};
use leyden_scenarios::{Checked, Played, Schemas, Subject, scenario};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The scenario in which a node is asked for help.
const ASKED_FOR_HELP: &str = "many_answers";

/// Scenarios that together show every command, hook and topic.
const PLAYED: [&str; 35] = [
    ASKED_FOR_HELP,
    "channel_life",
    "channel_refused",
    "commitment_revocation",
    "connect_and_disconnect",
    "custommsg_both_ways",
    "custommsg_not_understood",
    "db_write",
    "deprecated_methods",
    "every_topic",
    "everything_kept",
    "forwards_listed",
    "invoice_payment_verdicts",
    "invoice_signed",
    "invoices_waited_for",
    "keysend_received",
    "known_after_restart",
    "known_everywhere",
    "onion_messages",
    "opened_together",
    "paid_by_pay",
    "payment_life",
    "peer_accepted",
    "psbt_versions",
    "ready_onion",
    "recovered",
    "rpc_command_verdicts",
    "sent_again",
    "started_and_stopped",
    "wallet_psbts",
    "wallet_reorg",
    "wallet_withdraw",
    "warning_and_log",
    "ways_found",
    "zeroconf",
];

/// Hooks and topics for which an embedded node has no occasion, and why.
const NEVER: [(&str, &str); 6] = [
    ("channel_open_failed", "of channels of version 2 alone, which it has not"),
    ("openchannel2", "it has no channels of version 2"),
    ("openchannel2_changed", "the same"),
    ("openchannel2_sign", "the same"),
    ("openchannel_peer_sigs", "the same"),
    ("rbf_channel", "the same"),
];

#[tokio::test]
async fn what_nodes_say_is_what_cln_has_published() -> Result {
    // `println!` would be kept from who runs the tests.
    let mut out = std::io::stdout();
    let Some(schemas) = Schemas::at_hand() else {
        let checked = scenario(ASKED_FOR_HELP).play(Backend::Embedded).await?.checked;
        assert_eq!(checked.violations, Vec::<String>::new());
        writeln!(out, "held against our own catalogue alone, because LEYDEN_SCHEMAS is not set")?;
        return Ok(());
    };
    let (checked, commands) = play_all().await;
    let is_missing = |subject: &Subject| schemas.publish(subject) && !checked.valid.contains_key(subject);
    let missing: Vec<Subject> = commands.into_iter().chain(of_the_catalogue()).filter(is_missing).collect();
    writeln!(out, "{}", in_numbers(&checked))?;
    assert_eq!(missing, [], "published, and shown by no scenario");
    Ok(())
}

/// Plays them, and gives besides which methods a node lists in `help`.
async fn play_all() -> (Checked, Vec<Subject>) {
    let few = Arc::new(Semaphore::new(3));
    let mut playing = JoinSet::new();
    for name in PLAYED {
        let few = Arc::clone(&few);
        playing.spawn(async move {
            let _one = few.acquire().await.expect("nobody closes it");
            scenario(name).play(Backend::Embedded).await.unwrap_or_else(|error| panic!("{name}: {error}"))
        });
    }
    let (mut checked, mut commands, mut failed) = (Checked::default(), Vec::new(), 0);
    while let Some(played) = playing.join_next().await {
        match played {
            Ok(played) => {
                commands.extend(helped(&played));
                checked.add(played.checked);
            }
            Err(_) => failed += 1,
        }
    }
    assert_eq!(failed, 0, "scenarios that have failed, in the words above");
    (checked, commands)
}

/// The methods that a node has listed.
fn helped(played: &Played) -> Vec<Subject> {
    let said = played.said.iter().filter(|said| said.name == format!("{ASKED_FOR_HELP}.l1.rpc"));
    let answers = said.flat_map(|said| said.transcript.clone().only(["help"]).frames().to_vec());
    let listed: Vec<_> = answers.filter_map(|frame: Frame| frame.result()).collect();
    let usages = listed.iter().flat_map(|result| result["help"].as_array().into_iter().flatten());
    let names = usages.filter_map(|usage| usage["command"].as_str()?.split(' ').next().map(str::to_owned));
    names.map(Subject::Method).collect()
}

/// The hooks and topics of the newest release that must be seen.
fn of_the_catalogue() -> impl Iterator<Item = Subject> {
    let newest = Profile::default();
    let happens = |name: &str| NEVER.iter().all(|(never, _)| *never != name);
    let hooks = catalogue::HOOKS.iter().map(|hook| hook.name);
    let hooks = hooks.filter(move |name| catalogue::hook_of(newest, name).is_some() && happens(name));
    let topics = catalogue::TOPICS.iter().map(|topic| topic.name);
    let topics = topics.filter(move |name| catalogue::topic_of(newest, name).is_some() && happens(name));
    hooks
        .map(|name| Subject::Hook(name.to_owned()))
        .chain(topics.map(|name| Subject::Notification(name.to_owned())))
}

fn in_numbers(checked: &Checked) -> String {
    let kind = |subject: &Subject| match subject {
        Subject::Method(_) => "RPC answers of methods",
        Subject::Hook(_) => "payloads of hooks",
        Subject::Notification(_) => "notifications of topics",
    };
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (subject, count) in &checked.valid {
        let (subjects, messages) = counts.entry(kind(subject)).or_default();
        *subjects += 1;
        *messages += count;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(kind, (subjects, messages))| format!("{messages} {kind} ({subjects} kinds)"))
        .collect();
    let without: BTreeSet<String> = checked.without_schema.iter().map(ToString::to_string).collect();
    let without: Vec<String> = without.into_iter().collect();
    format!(
        "validated against CLN's schemas: {}; {} violations; CLN has published none for {}",
        counts.join(", "),
        checked.violations.len(),
        without.join(", ")
    )
}
