//! Manifests that are refused, or read differently, by release.

use crate::{Node, read, response};
use leyden_protocol::manifest::{EmptyNode, Manifest, Refusal};
use leyden_protocol::profile::Profile;

/// The text with which the plugin is killed.
fn killed(profile: Profile, result: &str) -> String {
    match read(profile, result) {
        Err(Refusal::Kill(why)) => why,
        other => panic!("{profile}: {result} gives {other:?}"),
    }
}

fn with(members: &str) -> String {
    format!(r#"{{"options":[],"rpcmethods":[],{members}}}"#)
}

/// A manifest with an option that has these members beside the mandatory ones.
fn option_with(option_type: &str, members: &str) -> String {
    let option = format!(r#"{{"name":"o1","type":"{option_type}","description":"d"{members}}}"#);
    format!(r#"{{"options":[{option}],"rpcmethods":[]}}"#)
}

fn method(members: &str) -> String {
    format!(r#"{{"options":[],"rpcmethods":[{members}]}}"#)
}

#[test]
fn v26_06_refuses_in_its_words() {
    let cases = [
        (r#"{"rpcmethods":[]}"#.to_owned(), r#""result.options" was not found in the manifest"#),
        (r#"{"options":{},"rpcmethods":[]}"#.to_owned(), r#""result.options" is not an array"#),
        (r#"{"options":[]}"#.to_owned(), r#""result.rpcmethods" missing"#),
        (r#"{"options":[],"rpcmethods":"x"}"#.to_owned(), r#""result.rpcmethods" is not an array"#),
        (with(r#""dynamic":"yes""#), r#"getmanifest: invalid "dynamic" field yes"#),
        (
            with(r#""featurebits":{"node":"zz"}"#),
            "Featurebits returned by plugin is not a valid hexadecimal string: zz",
        ),
        (
            with(r#""dynamic":true,"featurebits":{"node": "80"}"#),
            r#"Custom featurebits only allows for non-dynamic plugins: dynamic=1, featurebits={"node": "80"}"#,
        ),
        (with(r#""featurebits":{"init":"02"}"#), "Custom featurebits already present"),
        (with(r#""custommessages":"5""#), r#"custommessages must be array, not '"5"'"#),
        (with(r#""custommessages":[1,-2]"#), "custommessages 1 not a u16: '-2'"),
        (with(r#""custommessages":[65536]"#), "custommessages 0 not a u16: '65536'"),
        (with(r#""nonnumericids":"x""#), r#"Invalid nonnumericids: "x""#),
        (with(r#""nonnumericids":false"#), "Plugin does not allow nonnumericids"),
        (with(r#""cancheck":1"#), "Invalid cancheck: 1"),
        (with(r#""notifications":"x""#), r#""result.notifications" is not an array"#),
        (with(r#""notifications":["x"]"#), r#""result.notifications[0]" is not an object"#),
        (with(r#""notifications":[{}]"#), r#""result.notifications[0].name" missing or not a string."#),
        (
            with(r#""notifications":[{"method":"connect"}]"#),
            "plugin attempted to register a native notification topic \"connect\", these may however only be \
             sent by lightningd",
        ),
        (with(r#""subscriptions":"x""#), r#""result.subscriptions" is not an array"#),
        (with(r#""subscriptions":["x",5]"#), "result.subscriptions[1] is not a string: '5'"),
        (with(r#""hooks":["nope"]"#), "Unknown hook name nope"),
        (with(r#""hooks":["rpc_command","rpc_command"]"#), "Registered for hook rpc_command multiple times"),
        // Of an object the names are taken for hooks.
        (with(r#""hooks":{"nope":{}}"#), "Unknown hook name nope"),
        (with(r#""hooks":[{"name":"db_write","filters":[]}]"#), "Hook db_write does not allow filters"),
    ];
    for (result, expected) in cases {
        assert_eq!(killed(Profile::V26_06, &result), expected, "{result}");
    }
}

#[test]
fn v26_06_refuses_options_in_its_words() {
    let named = |name: &str| {
        format!(r#"{{"options":[{{"name":"{name}","type":"int","description":""}}],"rpcmethods":[]}}"#)
    };
    let twice = r#"{"name":"o1","type":"flag","description":""}"#;
    let cases = [
        (
            r#"{"options":[{"name":"x","type":"int"}]}"#.to_owned(),
            r#"An option is missing either "name", "description" or "type""#,
        ),
        (named("Loud"), r#"Option "name" must be lowercase alphanumeric, plus _ or -'"#),
        (named("network"), r#"Option "network" already registered"#),
        (format!(r#"{{"options":[{twice},{twice}]}}"#), r#"Option "o1" already registered"#),
        (
            option_with("string", r#","deprecated":"soon""#),
            r#""deprecated" must be an array of 1 or 2 elements, not soon"#,
        ),
        (option_with("string", r#","multi":"no""#), r#"--o1: invalid "multi" field no"#),
        (option_with("string", r#","dynamic":0"#), r#"--o1: invalid "dynamic" field 0"#),
        (option_with("flag", r#","default":true"#), "--o1 type flag default must be 'false' not true"),
        (
            option_with("flag", r#","default":"false""#),
            r#"--o1 type flag default must be 'false' not "false""#,
        ),
        (option_with("flag", r#","default":null"#), "--o1 type flag default must be 'false' not null"),
        (option_with("flag", r#","multi":true"#), "flag type cannot be multi"),
        (option_with("bool", r#","multi":true"#), "bool type cannot be multi"),
        (option_with("float", ""), r#"Only "string", "int", "bool", and "flag" options are supported"#),
        (option_with("int", r#","default":"x""#), "Invalid default 'x': 'x' is not a number"),
        (option_with("bool", r#","default":1"#), "Invalid default '1': Invalid argument '1'"),
        (
            option_with("string", r#","default":"x","deprecated":true"#),
            "Invalid default 'x': deprecated option (will be removed!)",
        ),
    ];
    for (result, expected) in cases {
        assert_eq!(killed(Profile::V26_06, &result), expected, "{result}");
    }
}

#[test]
fn v26_06_refuses_methods_in_its_words() {
    let taken = "a method with that name is already registered by plugin";
    let cases = [
        (method("{}"), r#"rpcmethod does not have a string "name": {}"#.to_owned()),
        (method(r#"{"name":"a"}"#), r#""usage" not provided by plugin"#.to_owned()),
        (
            method(r#"{"name":"a","usage":5}"#),
            r#""usage" is not a string: {"name":"a","usage":5}"#.to_owned(),
        ),
        (
            method(r#"{"name":"hello","usage":""}"#),
            format!(r#"Could not register method "hello", {taken} /other"#),
        ),
        (
            method(r#"{"name":"a","usage":""},{"name":"a","usage":""}"#),
            format!(r#"Could not register method "a", {taken} /it"#),
        ),
    ];
    for (result, expected) in cases {
        assert_eq!(killed(Profile::V26_06, &result), expected, "{result}");
    }
}

#[test]
fn older_releases_refuse_in_theirs() {
    for profile in [Profile::Manual, Profile::V0_10, Profile::V23_02] {
        let cases = [
            (with(r#""dynamic":"yes""#), r#"Bad 'dynamic' field ('"yes"')"#),
            (option_with("string", r#","deprecated":[]"#), r#"--o1: invalid "deprecated" field []"#),
            (option_with("flag", r#","multi":true"#), r#"--o1 type "flag" cannot have multi"#),
            (option_with("int", r#","default":"x""#), r#"default "x" is not a valid int"#),
            (option_with("bool", r#","default":"yes""#), r#"default "yes" is not a valid bool"#),
            (
                option_with("string-conceal", ""),
                r#"Only "string", "int", "bool", and "flag" options are supported"#,
            ),
            (
                method(r#"{"name":"a","usage":""}"#),
                r#"rpcmethod does not have a string "description": {"name":"a","usage":""}"#,
            ),
            (method(r#"{"name":"a","description":""}"#), r#""usage" not provided by plugin"#),
            (
                method(r#"{"name":"a","usage":"","description":"","deprecated":"x"}"#),
                r#"a: invalid "deprecated" field x"#,
            ),
        ];
        for (result, expected) in cases {
            assert_eq!(killed(profile, &result), expected, "{profile}: {result}");
        }
        // What they do not know they do not look at.
        let unknown = with(r#""custommessages":5,"cancheck":5,"featurebits":{"channel_type":"zz"}"#);
        assert_eq!(read(profile, &unknown).unwrap().custommessages, [0; 0]);
        let flag = option_with("flag", r#","default":true,"dynamic":5"#);
        assert_eq!(read(profile, &flag).unwrap().options[0].default, None);
    }
}

#[test]
fn a_name_that_is_taken_ends_a_starting_node() {
    let result = r#"{"options":[{"name":"network","type":"int","description":""}],"rpcmethods":[]}"#;
    let fatal = |name| {
        let text = format!("error starting plugin '/it': option name '{name}' is already taken");
        Err(Refusal::Fatal(text))
    };
    let starting = |profile| {
        let mut node = Node { profile, starting: true, deprecated_ok: false };
        Manifest::parse(&response(result), &mut node).map(|manifest| manifest.options.len())
    };
    assert_eq!(starting(Profile::V26_06), fatal("network"));
    assert_eq!(starting(Profile::Manual), fatal("network"));
    assert_eq!(starting(Profile::V23_02), fatal("--network"));
    assert_eq!(starting(Profile::V0_10), Ok(1));
    // Later, v23.02 takes it without a word.
    assert!(read(Profile::V23_02, result).is_ok());
}

#[test]
fn the_manual_ends_the_node_for_a_method_that_is_taken() {
    let result = method(r#"{"name":"hello","usage":"","description":""}"#);
    let starting = |profile| {
        Manifest::parse(&response(&result), &mut Node { profile, starting: true, deprecated_ok: false })
    };
    assert!(matches!(starting(Profile::Manual), Err(Refusal::Fatal(why)) if why.contains("\"hello\"")));
    assert!(matches!(starting(Profile::V0_10), Err(Refusal::Kill(why)) if why.contains("\"hello\"")));
}

#[test]
fn v0_10_makes_up_a_usage_where_deprecated_things_are_allowed() {
    let result = method(r#"{"name":"a","description":"d","long_description":"l"}"#);
    let mut node = Node { profile: Profile::V0_10, starting: false, deprecated_ok: true };
    let manifest = Manifest::parse(&response(&result), &mut node).unwrap();
    assert_eq!(manifest.rpcmethods[0].usage, "[params]");
    assert_eq!(manifest.rpcmethods[0].long_description.as_deref(), Some("l"));
}

#[test]
fn v0_10_reads_the_default_null_as_text() {
    let default = |profile| {
        read(profile, &option_with("string", r#","default":null"#)).unwrap().options.remove(0).default
    };
    assert_eq!(default(Profile::V0_10).as_deref(), Some("null"));
    assert_eq!(default(Profile::V23_02), None);
    assert_eq!(default(Profile::V26_06), None);
}

#[test]
fn the_manual_knows_the_features_by_another_name() {
    let result = with(r#""features":{"node":"80"}"#);
    let node = |profile| read(profile, &result).unwrap().featurebits.node;
    assert_eq!(node(Profile::Manual).as_deref(), Some("80"));
    assert_eq!(node(Profile::V26_06), None);
}

#[test]
fn numeric_ids_could_be_asked_for_in_v23_02() {
    let result = with(r#""nonnumericids":false"#);
    let mut node = Node { profile: Profile::V23_02, starting: false, deprecated_ok: true };
    assert_eq!(Manifest::parse(&response(&result), &mut node).unwrap().nonnumericids, Some(false));
    assert_eq!(killed(Profile::V23_02, &result), "Plugin does not allow nonnumericids");
    assert!(read(Profile::V0_10, &result).is_ok());
}

#[test]
fn a_disabled_plugin_is_not_looked_at_further() {
    let manifest = read(Profile::V26_06, r#"{"disable":"no database","options":7}"#).unwrap();
    assert_eq!(manifest.disable.as_deref(), Some("no database"));
}

#[test]
fn an_error_response_has_no_result() {
    let text = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x"}}"#;
    let why = format!("Invalid/missing result tok in '{text}'");
    assert_eq!(Manifest::parse(text, &mut EmptyNode(Profile::V26_06)), Err(Refusal::Kill(why)));
}

#[test]
fn the_escapes_of_a_default_stay() {
    let manifest = read(Profile::V26_06, &option_with("string", r#","default":"a \"b\" \u00e9""#)).unwrap();
    assert_eq!(manifest.options[0].default.as_deref(), Some(r#"a \"b\" \u00e9"#));
}
