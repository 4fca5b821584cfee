//! What is said, but says nothing about the embedded node: what lightningd's own plugins cause, what is a matter of time, and what each run draws.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use leyden::event::Direction;
use leyden::transcript::Frame;
use regex::Regex;
use serde_json::Value;

/// lightningd's own plugins, as the ids of their requests and their log lines call them.
const BUNDLED: [&str; 20] = [
    "autoclean",
    "bcli",
    "bookkeeper",
    "chanbackup",
    "cln-askrene",
    "cln-bwatch",
    "cln-renepay",
    "cln-xpay",
    "commando",
    "exposesecret",
    "funder",
    "keysend",
    "offers",
    "pay",
    "recklessrpc",
    "recover",
    "spenderp",
    "sql",
    "topology",
    "txprepare",
];

/// Where they live, below wherever lightningd was installed.
const THEIR_FOLDER: &str = "/libexec/c-lightning/plugins/";

/// How often these are called is a matter of time: only the first call of each is compared.
const POLLED: [&str; 3] = ["getchaininfo", "getrawblockbyheight", "estimatefees"];

/// Messages that lightningd's `chanbackup` exchanges with every peer: `peer_storage`, `peer_storage_retrieval`.
const PEER_STORAGE: [&str; 2] = ["0007", "0009"];

/// What is a race or chance in the scenario, on lightningd as well: transcript, subject, and who runs.
const RACES: [(&str, &str, &str); 32] = [
    ("shelf_of_starts.l1.garbage-at-start", "getmanifest", "the plugin's garbage against the request"),
    (
        "shelf_of_peers.l2.hear-everything",
        "notification warning",
        "chanbackup's hook peer_connected against other plugins",
    ),
    (
        "shelf_of_peers.l2.hear-everything",
        "notification block_added",
        "the first block against the plugin's start",
    ),
    ("shelf_of_peers.l2.hear-everything", "notification balance_snapshot", "the same"),
    (
        "paid_in_parts.l2.rpc",
        "invoice",
        "gossip about the peers against the invoice, which warns of what is unknown",
    ),
    ("rpc_caller_gone.l1.holder", "hold", "the scenario tries until the caller is seen to go in time"),
    ("rpc_caller_gone.l1.holder", "release", "the same"),
    ("everything_kept.l2.rpc", "fundpsbt", "lightningd takes coins in an order of chance"),
    ("everything_kept.l2.rpc", "listfunds", "the same"),
    ("everything_kept.l2.rpc", "listtransactions", "the funding of one channel against the other's"),
    ("forwards_listed.l1.rpc", "listpeerchannels", "HTLCs on their way against the call"),
    ("payment_life.l2.clerk", "notification coin_movement", "one channel's commitment against the other's"),
    ("ways_found.l1.rpc", "listpays", "xpay's cleaning up against the call"),
    ("caller_ids.l1.counter", "id", "the scenario's ids may be the node's own next ones"),
    ("peer_refused.l1.rpc", "connect", "the refusal against the answer"),
    ("invoice_over_private_channel.l1.rpc", "decode", "an alias of a channel is drawn"),
    ("fee_change.l2.rpc", "listpeerchannels", "HTLCs on their way against the call"),
    ("payments_replayed.l1.rpc", "listpeerchannels", "the same"),
    ("payments_replayed.l2.rpc", "listpeerchannels", "the same"),
    ("messages.l1.rude", "shout", "the plugin's answer against its end"),
    ("payments_replayed.l2.rpc", "getinfo", "the driver waits for the blocks of an embedded node only"),
    ("opened_together.l1.rpc", "listpeerchannels", "the peer's words against the call"),
    ("opened_together.l2.rpc", "listpeerchannels", "the same"),
    ("parts_resumed.l2.watcher", "htlc_accepted", "the node is killed while some are asked about"),
    (
        "revoked_commitment.l2.watcher",
        "notification coin_movement",
        "one movement of a block against the other",
    ),
    (
        "payments_resumed.l2.rpc",
        "listforwards",
        "after a start lightningd forwards in the order of a hash table, and numbers forwards so",
    ),
    ("every_topic.l1.all", "notification plugin_started", "one plugin's start against the other's"),
    ("fees_raised.l1.rpc", "feerates", "the next estimate against the call"),
    ("sent_again.l1.rpc", "listpeerchannels", "HTLCs on their way against the call"),
    ("invoice_in_parts.l1.rpc", "listpeerchannels", "the same"),
    ("channel_to_another_address.l1.rpc", "listpeerchannels", "the peer's channel_update against the call"),
    ("channel_to_another_address.l2.rpc", "listpeerchannels", "the same"),
];

/// Whether what is said about a subject is compared.
pub(crate) fn is_no_race(transcript: &str, topic: &str) -> bool {
    !RACES.iter().any(|(name, subject, _)| *name == transcript && *subject == topic)
}

/// Subjects of which lightningd tells in no certain order, because it keeps them in hash tables: by what frames are sorted here.
const SORTED: [(&str, &[&str]); 2] = [
    ("htlc_accepted", &["/params/htlc/short_channel_id", "/params/htlc/id"]),
    ("notification sendpay_success", &["/params/sendpay_success/id"]),
];

/// The frames, requests with their answers, in an order that is certain.
pub(crate) fn sorted(topic: &str, frames: Vec<(Frame, Value)>) -> Vec<(Frame, Value)> {
    let Some((_, by)) = SORTED.iter().find(|(sorted, _)| *sorted == topic) else { return frames };
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, value) in frames.iter().filter(|(_, value)| value.get("method").is_some()) {
        let key = by.iter().map(|path| value.pointer(path).unwrap_or(&Value::Null).to_string()).collect();
        keys.insert(value["id"].to_string(), key);
    }
    let key = |(frame, value): &(Frame, Value)| {
        let of_request = keys.get(&value["id"].to_string()).cloned().unwrap_or_default();
        let own = by.iter().map(|path| value.pointer(path).unwrap_or(&Value::Null).to_string()).collect();
        let key: Vec<String> = if value.get("id").is_some() { of_request } else { own };
        (frame.node_run, key)
    };
    let mut frames = frames;
    frames.sort_by_cached_key(key);
    frames
}

/// Whether a frame is compared.
pub(crate) fn counts(frame: &Frame, value: &Value) -> bool {
    let id = value["id"].as_str().unwrap_or_default().trim_matches('"');
    let by_bundled = |part: &str| BUNDLED.contains(&part.split([':', '#']).next().unwrap_or_default());
    if id.split('/').any(by_bundled) {
        return false;
    }
    let told =
        |topic: &str, member: &str| value["params"][topic][member].as_str().unwrap_or_default().to_owned();
    match frame.topic.as_deref() {
        // Other sources log about what a plugin cannot see; those of plugins are passed on as they are.
        Some("log") => is_a_plugin_of_the_test(&told("log", "source")),
        Some("warning") => is_a_plugin_of_the_test(&told("warning", "source")),
        Some(topic @ ("plugin_started" | "plugin_stopped")) => {
            !told(topic, "plugin_path").contains(THEIR_FOLDER)
        }
        // Its statements are held against recordings by the test `groundtruth`: how many fall into a transaction is a matter of time.
        Some("db_write") => false,
        Some("rpc_command") => !is_called_by_bundled(&value["params"]["rpc_command"]),
        Some("custommsg") => {
            let payload = value["params"]["payload"]
                .as_str()
                .map_or_else(|| told("custommsg", "payload"), str::to_owned);
            !PEER_STORAGE.iter().any(|kind| payload.starts_with(kind))
        }
        _ => true,
    }
}

fn is_a_plugin_of_the_test(source: &str) -> bool {
    source.strip_prefix("plugin-").is_some_and(|plugin| !BUNDLED.contains(&plugin))
}

fn is_called_by_bundled(request: &Value) -> bool {
    let id = request["id"].as_str().unwrap_or_default();
    id.split(['/', ':', '#']).any(|part| BUNDLED.contains(&part))
}

/// Frames that belong to others in the stream: answers to requests that do not count.
pub(crate) fn without_orphans(frames: Vec<(Frame, Value)>) -> Vec<(Frame, Value)> {
    let key = |frame: &Frame| {
        let id = frame.envelope().and_then(|envelope| envelope.id.map(str::to_owned));
        id.map(|id| (frame.node_run, id))
    };
    let mut asked = BTreeSet::new();
    let mut kept = Vec::new();
    for (frame, value) in frames {
        let is_answer = value.get("method").is_none() && value.get("id").is_some();
        if is_answer && !asked.contains(&key(&frame)) {
            continue;
        }
        asked.insert(key(&frame));
        kept.push((frame, value));
    }
    kept
}

/// Without what a plugin answers last in a run of its node: of a node that is killed it is chance whether it still reads that.
pub(crate) fn without_last_words(frames: Vec<(Frame, Value)>) -> Vec<(Frame, Value)> {
    let runs: Vec<usize> = frames.iter().map(|(frame, _)| frame.node_run).collect();
    let is_last = |index: usize| runs.get(index + 1).is_some_and(|next| *next != runs[index]);
    let counts = |(index, (frame, _)): &(usize, (Frame, Value))| {
        frame.direction == Direction::ToPlugin || !is_last(*index)
    };
    frames.into_iter().enumerate().filter(counts).map(|(_, frame)| frame).collect()
}

/// Only the first call of what is polled.
pub(crate) fn without_polls(topic: &str, mut frames: Vec<(Frame, Value)>) -> Vec<(Frame, Value)> {
    if POLLED.contains(&topic) {
        frames.truncate(2);
    }
    frames
}

/// Methods whose answers are not compared, and why.
const ANSWERS: [(&str, &str); 6] = [
    ("help", "lists what lightningd's own plugins have"),
    ("listconfigs", "lists what lightningd's own plugins have"),
    ("plugin", "lists lightningd's own plugins"),
    ("getlog", "is a log"),
    ("getrawblockbyheight", "is bitcoind's answer"),
    ("waitblockheight", "tells the height that there is"),
];

/// Methods of which the last answer to each question counts: until then they tell how far HTLCs are on their way.
const SETTLED: [&str; 1] = ["listpeerchannels"];

/// Whether the answers of a method are compared.
pub(crate) fn answers_count(method: &str) -> bool {
    ANSWERS.iter().all(|(name, _)| *name != method)
}

/// Answers without the requests, which are the test's own words. Requests that are repeated until their answer is the wanted one count once, with
/// the last answer.
pub(crate) fn answers(method: &str, values: &[(&Frame, Value)]) -> Vec<(Frame, Value)> {
    let mut kept: Vec<(Value, (Frame, Value))> = Vec::new();
    for pair in values.chunks(2) {
        let [(asked, question), (answered, answer)] = pair else { continue };
        debug_assert_eq!((asked.direction, answered.direction), (Direction::FromPlugin, Direction::ToPlugin));
        let question = question["params"].clone();
        if SETTLED.contains(&method) {
            kept.retain(|(before, _)| *before != question);
        } else if kept.last().is_some_and(|(before, _)| *before == question) {
            kept.pop();
        }
        let mut answer = answer.clone();
        if let Some(members) = answer.as_object_mut() {
            members.shift_remove("id");
        }
        kept.push((question, ((*answered).clone(), answer)));
    }
    kept.into_iter().map(|(_, answer)| answer).collect()
}

/// Members that are drawn, or a matter of time.
const DRAWN: [(&str, &str); 21] = [
    ("local", "an alias of a channel is drawn"),
    ("remote", "an alias of a channel is drawn"),
    ("groupid", "pay and xpay draw it"),
    ("group_id", "the same"),
    ("raw_message", "has a signature and a time"),
    ("onionreply", "is encrypted to an onion whose session key is drawn"),
    ("erroronion", "the same"),
    ("signature", "signs a time"),
    ("blockheight", "a node may not have heard of the last block yet"),
    ("cltv_expiry_relative", "counts from it, and a node that starts reads it while it asks again"),
    ("port", "is the system's choice"),
    ("updated_index", "counts the changes of all payments, whose order is a matter of time"),
    ("vout", "where change stands in a transaction is drawn"),
    ("output", "the same"),
    ("index", "the same"),
    ("locktime", "lightningd draws whether it hides the height"),
    ("rawtx", "the same"),
    ("address", "which key a wallet takes for change depends on what else it has taken keys for"),
    ("scriptpubkey", "the same"),
    ("close_to", "the same"),
    ("close_to_addr", "the same"),
];

/// Members that are there or not by the time that it takes.
const OF_THE_HOUR: [(&str, &str); 2] = [
    ("warning_lightningd_sync", "a node may not have heard of the last block yet"),
    ("last_stable_connection", "comes when a connection has lasted a minute"),
];

/// Lists in which the order of elements is drawn, or that of a hash table in lightningd: by what they are sorted here.
const UNORDERED: [(&str, &[&str]); 7] = [
    ("channels", &["short_channel_id", "direction", "source"]),
    ("nodes", &["nodeid"]),
    ("peers", &["id"]),
    ("htlcs", &["direction", "short_channel_id", "id"]),
    ("forwards", &["created_index"]),
    ("outputs", &["amount_msat", "status"]),
    ("reservations", &["txid"]),
];

/// What lightningd's own plugins keep for themselves in the datastore.
fn is_of_bundled(element: &Value) -> bool {
    element["key"][0].as_str().is_some_and(|key| BUNDLED.contains(&key) || key == "askrene")
}

/// How far a channel is on the chain: a block against the call.
fn is_of_the_hour(element: &Value) -> bool {
    let text = element.as_str().and_then(|text| text.strip_prefix("ONCHAIN:")).unwrap_or_default();
    text.contains("outputs unresolved:") || text.starts_with("All outputs resolved:")
}

/// What a plugin answers is the test's: that it answered is compared.
pub(crate) fn without_own_words(value: &mut Value) {
    for words in ["result", "error"] {
        if let Some(said) = value.get_mut(words) {
            *said = Value::from("<the plugin's own>");
        }
    }
}

/// What is left of a value.
pub(crate) fn without_chance(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, _) in OF_THE_HOUR {
                members.shift_remove(name);
            }
            for (name, value) in members.iter_mut() {
                let is_drawn = DRAWN.iter().any(|(drawn, _)| drawn == name);
                if is_drawn && (value.is_string() || value.is_number()) {
                    *value = Value::from("<drawn>");
                }
                without_chance(value);
                let by = UNORDERED.iter().find(|(list, _)| list == name).map(|(_, by)| *by);
                if let (Some(by), Value::Array(elements)) = (by, value) {
                    elements.sort_by_cached_key(|element: &Value| {
                        by.iter().map(|member| element[member].to_string()).collect::<Vec<_>>()
                    });
                }
            }
        }
        Value::Array(elements) => {
            elements.retain(|element| !is_of_bundled(element) && !is_of_the_hour(element));
            elements.iter_mut().for_each(without_chance);
        }
        Value::String(text) => {
            *text = IN_TEXTS.iter().fold(std::mem::take(text), |text, (form, alias)| {
                form.replace_all(&text, *alias).into_owned()
            });
        }
        _ => {}
    }
}

/// What stands within texts.
static IN_TEXTS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"^keysend-[\d.]+$", "keysend-<time>"),
        (r"^leyden-\d+$", "leyden-<place in the timeline>"),
        (r"(channel |Channel )[0-9a-f]{64}", "$1<hash>"),
        (" txid [0-9a-f]{64}", " txid <hash>"),
        // One that has no number: a constant of the test, or the id of a transaction whose lock time is drawn.
        ("^[0-9a-f]{64}$", "<hash>"),
        ("Unsent tx discarded [0-9a-f]+", "Unsent tx discarded <tx>"),
        ("cHNidP[0-9A-Za-z+/=]+", "<psbt>"),
    ]
    .map(|(form, alias)| (Regex::new(form).expect("it is a regular expression"), alias))
    .into()
});

/// Numbers aliases by their first sight in what is left. Ids are those of one run of the node: that the next run draws the same is chance.
pub(crate) fn renumbered(frames: Vec<(Frame, Value)>) -> Vec<(Frame, Value)> {
    let mut seen: BTreeMap<(String, String, usize), usize> = BTreeMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut renumber = |frame: &Frame, value: &Value| {
        let number = |found: &regex::Captures<'_>| {
            let (word, value) = (found[1].to_owned(), found[2].to_owned());
            let run = if word.is_empty() { frame.node_run } else { 0 };
            let next = counts.entry(word.clone()).or_default();
            let number = *seen.entry((word.clone(), value, run)).or_insert_with(|| {
                *next += 1;
                *next
            });
            format!("<{word}{number}>")
        };
        let text = value.to_string();
        let text = ALIAS.replace_all(&text, number);
        serde_json::from_str(&text).expect("aliases have no quotes")
    };
    frames
        .into_iter()
        .map(|(frame, value)| {
            let value = renumber(&frame, &value);
            (frame, value)
        })
        .collect()
}

/// `<hash#3>`, and in a request's id `cln:init#<2>`.
static ALIAS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"<((?:[a-z0-9]+#)?)(\d+)>").expect("it is a regular expression"));
