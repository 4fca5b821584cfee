//! What is shown, in which order, and what stays behind it.

use leyden::Transcript;
use leyden::alias::Names;
use leyden::event::{Direction, EventKind};
use leyden::timeline::Timeline;
use proptest::prelude::*;

use crate::fixture::{Run, record, spoken};

#[test]
fn a_conversation_reads_as_a_sequence() {
    let run = Run::example();
    let transcript = Transcript::of(&run.timeline(), "l1", Some("p.py"), run.names());
    leyden::assert_transcript!(transcript, @r#"
    lightningd -> p.py  getmanifest "cln:getmanifest#<1>" {"allow-deprecated-apis":false}
    p.py -> lightningd  result "cln:getmanifest#<1>" {"options":[],"rpcmethods":[],"hooks":["rpc_command"]}
    lightningd -> p.py  init "cln:init#<2>"
        {"options":{},"configuration":{"lightning-dir":"<l1-dir>/regtest","rpc-file":"lightning-rpc","startup":true}}
    lightningd -> p.py  notification plugin_started
        {"plugin_started":{"plugin_name":"p.py","plugin_path":"<plugin:p.py>","methods":["hello"]}}
    lightningd -> p.py  rpc_command "cli:connect#<3>/cln:rpc_command#<4>"
        {"rpc_command":{"jsonrpc":"2.0","id":"cli:connect#<3>","method":"connect","params":["<l2>","127.0.0.1",<l2-port>]}}
    p.py -> lightningd  result "cli:connect#<3>/cln:rpc_command#<4>" {"result":"continue"}
    lightningd -> p.py  notification block_added {"block_added":{"hash":"<hash#1>","height":101}}
    lightningd -> p.py  notification connect
        {"connect":{"id":"<node#1>","direction":"in","address":{"type":"ipv4","address":"127.0.0.1","port":<port#1>}}}
    lightningd -> p.py  notification log {
      "log": {
        "level": "debug",
        "time": "<time.9>",
        "timestamp": "<iso-time>",
        "source": "<node#1>-connectd",
        "log": "Connected in from 127.0.0.1:<port#1> to <l1>"
      }
    }
    lightningd -> p.py  notification coin_movement {
      "coin_movement": {
        "account_id": "<hash#2>",
        "utxo": "<hash#3>:0",
        "output_msat": 1000000000,
        "timestamp": <time>,
        "blockheight": 103
      }
    }
    lightningd -> p.py  notification onion
        {"payload":"2b020227100401740822<hash#4>2710","payment_secret":"<hash#4>","bolt11":"<bolt11#1>"}
    "#);
}

#[test]
fn answers_belong_to_what_they_answer() {
    let run = Run::example();
    let transcript = Transcript::of(&run.timeline(), "l1", None, run.names()).only(["rpc_command"]);
    let topics: Vec<_> =
        transcript.frames().iter().map(|frame| (frame.direction, frame.topic.as_deref())).collect();
    assert_eq!(
        topics,
        [(Direction::ToPlugin, Some("rpc_command")), (Direction::FromPlugin, Some("rpc_command"))]
    );
}

#[test]
fn filters_narrow_and_do_not_reorder() {
    let run = Run::example();
    let all = Transcript::of(&run.timeline(), "l1", None, run.names());
    let from: Vec<_> = all.clone().direction(Direction::FromPlugin).frames().to_vec();
    assert_eq!(
        from.iter().map(|frame| frame.topic.as_deref().unwrap()).collect::<Vec<_>>(),
        ["getmanifest", "rpc_command"]
    );
    let (one, others) = (all.clone().only(["connect"]), all.clone().without(["connect"]));
    assert_eq!(one.frames().len() + others.frames().len(), all.frames().len());
    assert!(all.clone().since(all.frames()[3].seq).frames() == &all.frames()[3..]);
}

#[test]
fn a_transcript_of_one_plugin_has_no_other() {
    let timeline = Run::example().timeline();
    let other = EventKind::Frame { plugin: "q".into(), direction: Direction::ToPlugin, text: "{}".into() };
    timeline.record(Some("l1"), other.clone());
    timeline.record(Some("l2"), other);
    let frames = |node, plugin| Transcript::of(&timeline, node, plugin, Names::default()).frames().len();
    assert_eq!((frames("l1", Some("p.py")), frames("l1", Some("q")), frames("l2", None)), (11, 1, 1));
    assert_eq!(frames("l1", None), 12);
}

#[test]
fn what_json_rpc_does_not_know_is_shown_too() {
    let transcript = spoken(&[
        r#"{"jsonrpc":"2.0","method":"pay_part_end","origin":"cln-xpay","params":{}}"#,
        r#"{"method":"x","id":null}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no"},"result":1}"#,
        r#"{"jsonrpc":"1.0","id":"a b","id":7}"#,
        r#"{"jsonrpc":"2.0","method":"result","params":[]}"#,
        "[{}]",
    ]);
    leyden::assert_transcript!(transcript, @r#"
    lightningd -> p.py  notification pay_part_end {} and "origin": "cln-xpay"
    lightningd -> p.py  x null jsonrpc missing
    lightningd -> p.py  result <id#1> 1 error {"code":-32601,"message":"no"}
    lightningd -> p.py  message "a b" jsonrpc "1.0" and "id": 7
    lightningd -> p.py  notification "result" []
    lightningd -> p.py  value [{}]
    "#);
}

#[test]
fn garbage_and_half_a_frame_are_shown_as_they_came() {
    let timeline = Timeline::new();
    let bytes = b"{\"half\": \"\xff\n".to_vec();
    timeline.record(
        Some("l1"),
        EventKind::Garbage { plugin: "p".into(), direction: Direction::FromPlugin, bytes },
    );
    let transcript = Transcript::of(&timeline, "l1", None, Names::default());
    assert_eq!(transcript.to_string(), r#"p -> lightningd  garbage "{\"half\": \"\xff\n""#);
}

#[test]
fn the_raw_file_has_every_byte_whatever_is_shown() {
    let timeline = Run::example().timeline();
    let pretty = "{\n \"jsonrpc\":\"2.0\",\r\n \"id\": 1.0 }";
    record(&timeline, Direction::FromPlugin, pretty);
    let bytes = vec![0xff, b'{'];
    timeline.record(
        Some("l1"),
        EventKind::Garbage { plugin: "p.py".into(), direction: Direction::FromPlugin, bytes },
    );
    timeline.record(Some("l1"), EventKind::PluginGone { plugin: "p.py".into() });
    let file = tempfile::NamedTempFile::new().unwrap();
    let transcript = Transcript::of(&timeline, "l1", None, Names::default());
    transcript.clone().only(["nothing"]).write_jsonl(file.path()).unwrap();

    let text = std::fs::read_to_string(file.path()).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let dirs: Vec<_> = lines.iter().map(|line| line["dir"].as_str().unwrap()).collect();
    assert_eq!((dirs[0], dirs[1], *dirs.last().unwrap()), ("start", "host->plugin", "eof"));
    for frame in transcript.frames() {
        if let Some(sent) = frame.text().filter(|text| !text.contains('\n')) {
            assert!(text.contains(&format!("\"frame\":{sent}")), "{sent} is not in the file");
        }
    }
    assert!(lines.iter().any(|line| line["raw"] == pretty));
    assert!(lines.iter().any(|line| line["garbage_hex"] == "ff7b"));
}

/// JSON whose member names say nothing to the aliases.
fn plain_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        "[ -~é]{0,60}".prop_map(serde_json::Value::from),
        "[0-9a-f]{64}".prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::vec(("[b-g]{1,3}", inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn leaves(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(elements) if !elements.is_empty() => elements.iter().map(leaves).sum(),
        serde_json::Value::Object(members) if !members.is_empty() => members.values().map(leaves).sum(),
        _ => 1,
    }
}

/// Changes one leaf, wherever `at` points.
fn change(value: &mut serde_json::Value, at: &mut usize) -> bool {
    use serde_json::Value;
    match value {
        Value::Array(elements) if !elements.is_empty() => elements.iter_mut().any(|inner| change(inner, at)),
        Value::Object(members) if !members.is_empty() => members.values_mut().any(|inner| change(inner, at)),
        _ if *at > 0 => {
            *at -= 1;
            false
        }
        Value::String(text) => {
            text.push('z');
            true
        }
        Value::Number(number) => {
            *value = Value::from(number.as_i64().unwrap().wrapping_add(1));
            true
        }
        other => {
            *other = Value::from("changed");
            true
        }
    }
}

proptest! {
    #[test]
    fn changing_any_field_changes_the_text(content in plain_json(), at in any::<usize>()) {
        let mut changed = content.clone();
        let leaves = leaves(&content);
        change(&mut changed, &mut (at % leaves));
        for member in ["params", "result", "error", "origin"] {
            let print = |content: &serde_json::Value| {
                spoken(&[&format!(r#"{{"jsonrpc":"2.0","id":1,"{member}":{content}}}"#)]).to_string()
            };
            prop_assert_ne!(print(&content), print(&changed));
        }
    }

    #[test]
    fn every_token_is_printed_as_it_was_sent(content in plain_json()) {
        let printed = spoken(&[&format!(r#"{{"jsonrpc":"2.0","method":"m","params":{content}}}"#)]).to_string();
        let printed = printed.strip_prefix("lightningd -> p.py  notification m").unwrap();
        let read: serde_json::Value = serde_json::from_str(printed).unwrap();
        // Text, because two objects with other orders are equal.
        prop_assert_eq!(read.to_string(), content.to_string());
    }
}
