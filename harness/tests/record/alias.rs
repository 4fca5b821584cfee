//! What is hidden, and that nothing else is.

use std::collections::BTreeSet;

use leyden::Transcript;
use leyden::alias::Names;
use leyden::event::Direction;
use proptest::prelude::*;

use crate::fixture::{Run, record, spoken};

fn notification(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"m","params":{params}}}"#)
}

/// What is printed for these params, without the words before them.
fn printed(params: &str) -> String {
    let text = spoken(&[&notification(params)]).to_string();
    text.strip_prefix("lightningd -> p.py  notification m").unwrap().trim_start().to_owned()
}

#[test]
fn payloads_stay_literal_even_when_they_are_as_long_as_a_hash() {
    let hash = "4c817f13ae9f2e83509489f350b3ebea7f7fdfb5aabfe5323123d289d6240d02";
    let params = format!(r#"{{"payload":"{hash}","hex":"02{hash}","features":"800898880a8a59a1"}}"#);
    assert!(printed(&params).contains(hash) && printed(&params).contains("800898880a8a59a1"));
}

#[test]
fn a_hash_that_somebody_chose_stays_literal() {
    let params = format!(r#"{{"payment_hash":"{}"}}"#, "00".repeat(32));
    assert_eq!(printed(&params), params);
}

#[test]
fn what_only_resembles_an_identifier_stays_literal() {
    for params in [
        r#"{"id":3,"partid":1,"groupid":533929181841605606}"#,
        r#"{"id":"02bb","txid":"none","hash":""}"#,
        r#"{"timestamp":0,"created_at":103,"time":"yesterday","height":1795251661}"#,
        r#"{"in_channel":"103x1x0","version":"v26.06.6","address":{"address":"10.0.0.1","port":9735}}"#,
        r#"{"options":{"port":9000},"log":"listening on 10.0.0.1:9735"}"#,
        r#"{"lightning-dir":"/tmp/l10/regtest","other":"/tmp/l1.bak"}"#,
        r#"["/tmp",9735,"lnbcrt1"]"#,
    ] {
        assert_eq!(printed(params), params);
    }
}

#[test]
fn the_kind_of_a_moment_stays_visible() {
    let params = r#"{"created_at":1795251670,"received_time":1795251671.037553,"time":"1795251671.497325985","timestamp":"2026-11-21T09:01:11.497Z"}"#;
    let expected =
        r#"{"created_at":<time>,"received_time":<time.n>,"time":"<time.9>","timestamp":"<iso-time>"}"#;
    assert_eq!(printed(params), expected);
}

#[test]
fn progress_names_the_request_that_it_is_of() {
    let frames = [
        r#"{"jsonrpc":"2.0","id":"cln:m#50","method":"m","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"progress","params":{"id":"cln:m#50","num":0}}"#,
        r#"{"jsonrpc":"2.0","method":"progress","params":{"id":"cln:m#51","num":0}}"#,
    ];
    let text = spoken(&frames).to_string();
    let ids: Vec<&str> =
        text.lines().filter_map(|line| line.split('"').find(|part| part.contains('#'))).collect();
    assert_eq!(ids, ["cln:m#<1>", "cln:m#<1>", "cln:m#51"], "nobody asked as #51");
}

#[test]
fn request_ids_keep_their_kind_and_words() {
    let request = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m","params":{{}}}}"#);
    let ids = [
        "5",
        r#""5/cln:m#5""#,
        r#""cli:m#6516""#,
        r#""getinfo/offers:init/#0/cln:m#47""#,
        r#""weird-id/cln:m#5""#,
        "null",
        "1.5",
    ];
    let frames: Vec<String> = ids.into_iter().map(request).collect();
    let text = spoken(&frames.iter().map(String::as_str).collect::<Vec<_>>()).to_string();
    let shown: Vec<_> = text.lines().map(|line| line.split(' ').nth(5).unwrap()).collect();
    let expected = [
        "<id#1>",
        r#""<id#1>/cln:m#<2>""#,
        r#""cli:m#<3>""#,
        r#""getinfo/offers:init/#<4>/cln:m#<5>""#,
        r#""weird-id/cln:m#<2>""#,
        "null",
        "1.5",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_node_that_restarts_on_another_port_has_two_ports() {
    let run = Run::example();
    let timeline = run.timeline();
    let again = leyden::event::EventKind::NodeStarted { id: run.ids[1].clone(), port: 7 };
    timeline.record(Some("l2"), again);
    record(&timeline, Direction::ToPlugin, &notification(r#"["127.0.0.1:7"]"#));
    let text = Transcript::of(&timeline, "l1", None, run.names()).only(["rpc_command", "m"]).to_string();
    assert!(
        text.contains(r#""127.0.0.1",<l2-port>]"#) && text.ends_with(r#"["127.0.0.1:<l2-port#2>"]"#),
        "{text}"
    );
}

#[test]
fn a_node_that_restarts_makes_new_ids_with_old_numbers() {
    let timeline = leyden::timeline::Timeline::new();
    for _ in 0..2 {
        timeline.record(Some("l1"), leyden::event::EventKind::NodeLaunched);
        record(
            &timeline,
            Direction::ToPlugin,
            r#"{"jsonrpc":"2.0","id":"cln:init#7","method":"init","params":{}}"#,
        );
        record(&timeline, Direction::FromPlugin, r#"{"jsonrpc":"2.0","id":"cln:init#7","result":{}}"#);
    }
    let text = Transcript::of(&timeline, "l1", None, Names::default()).only(["init"]).to_string();
    let ids: Vec<_> = text.lines().map(|line| line.split('"').nth(1).unwrap()).collect();
    assert_eq!(ids, ["cln:init#<1>", "cln:init#<1>", "cln:init#<2>", "cln:init#<2>"]);
}

#[test]
fn a_hash_that_begins_like_a_key_is_another_value() {
    let hash = format!("02{}", "ab12cd".repeat(10) + "ef");
    let params = format!(r#"{{"hash":"{hash}","id":"{hash}99"}}"#);
    assert_eq!(printed(&params), r#"{"hash":"<hash#1>","id":"<node#1>"}"#);
}

#[test]
fn hidden_frames_do_not_shift_the_numbers() {
    let (first, second) = ("ab12".repeat(16), "cd34".repeat(16));
    let frames = [&first, &second].map(|hash| notification(&format!(r#"{{"hash":"{hash}"}}"#)));
    let shown = spoken(&[&frames[0], &frames[1]]).since(1).to_string();
    assert!(shown.ends_with(r#"{"hash":"<hash#1>"}"#), "{shown}");
}

proptest! {
    #[test]
    fn two_runs_with_other_keys_print_the_same(run in Run::any()) {
        let print = |run: &Run| Transcript::of(&run.timeline(), "l1", None, run.names()).to_string();
        prop_assert_eq!(print(&run), print(&Run::example()));
    }

    #[test]
    fn different_values_have_different_aliases(hashes in prop::collection::vec("[0-9][a-f][0-9a-f]{62}", 1..20)) {
        let elements: Vec<String> = hashes.iter().map(|hash| format!(r#"{{"hash":"{hash}","again":"-{hash}-"}}"#)).collect();
        let text = spoken(&[&notification(&format!("[{}]", elements.join(",")))]).to_string();
        let pairs: Vec<(&str, &str)> = text
            .split(r#"{"hash":""#)
            .skip(1)
            .map(|part| part.split_once(r#"","again":"-"#).unwrap())
            .map(|(alias, again)| (alias, again.split_once("-\"").unwrap().0))
            .collect();
        prop_assert!(pairs.iter().all(|(alias, again)| alias == again && alias.starts_with("<hash#")));
        for ((left, left_alias), (right, right_alias)) in
            hashes.iter().zip(&pairs).flat_map(|left| hashes.iter().zip(&pairs).map(move |right| (left, right)))
        {
            prop_assert_eq!(left == right, left_alias == right_alias);
        }
        let distinct: BTreeSet<_> = hashes.iter().collect();
        let last_alias = format!("<hash#{}>", distinct.len());
        prop_assert!(text.contains(&last_alias));
    }
}
