//! Property: whatever id a client gives its request, and however many requests led to it, the client gets
//! that id back as it stood, and the plugin can see in its own id whose request it serves.

use leyden::{Backend, Call, Mock, Net, Profile, Reply, Result};
use leyden_scenarios::Client;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// How a release writes the ids of its requests.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Number,
    Text,
}

/// The mock allows ids that are text, so that only the release decides.
fn form(profile: Profile) -> Form {
    match profile {
        Profile::Manual | Profile::V0_10 => Form::Number,
        Profile::V23_02 | Profile::V26_06 => Form::Text,
    }
}

/// The model: what stands in front of the node's own part.
fn cause(token: &str) -> &str {
    let text = token.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(token);
    let needs_escape = |letter: char| letter < ' ' || matches!(letter, '"' | '\\' | '\u{7f}');
    if text.contains(needs_escape) { "weird-id" } else { text }
}

/// Id tokens: strings of any kind, numbers however they are written, and words.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => ".{0,12}".prop_map(|text| Value::from(text).to_string()),
        // Escapes that nobody needs, and bytes that JSON would have escaped.
        1 => r#""(a|é|\\u00e9|\\/|\\"|\t|\x7f|/|#){0,6}""#,
        2 => r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        1 => "(true|false|null|tru|nan)",
    ]
}

async fn net(profile: Profile) -> Result<Net> {
    let seen = Mock::method("seen")
        .reply(|call: &Call| Reply::result(json!({ "seen": call.id().map(|id| id.token().to_owned()) })));
    Net::builder()
        .nodes(["l1"])
        .backend(Backend::Embedded)
        .profile(profile)
        .mount("l1", seen.named("witness"))
        .start()
        .await
}

/// Calls the method with this id; gives the id token that the plugin saw.
async fn call(client: &mut Client, id: &str) -> Result<String> {
    client.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"seen","params":[]}}"#)).await?;
    let answer = client.next().await?;
    let result = answer.strip_prefix(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#));
    let result = result.and_then(|rest| rest.strip_suffix('}'));
    let result: Value = serde_json::from_str(result.unwrap_or_else(|| panic!("{id} became {answer}")))?;
    Ok(result["seen"].as_str().unwrap_or_default().to_owned())
}

fn every_id_is_kept(profile: Profile) {
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    let net = runtime.block_on(net(profile)).expect("the net starts");
    let [l1] = net.nodes();
    let result = TestRunner::default().run(&(token(), 1..4_usize), |(token, depth)| {
        let mut client = runtime.block_on(Client::connect(&l1)).expect("the node takes clients");
        let mut id = token;
        let mut last = 0;
        for _ in 0..depth {
            let seen = runtime.block_on(call(&mut client, &id)).expect("the node answers");
            let number = match form(profile) {
                Form::Number => seen.parse(),
                Form::Text => {
                    let own = seen.strip_prefix(&format!("\"{}/cln:seen#", cause(&id)));
                    own.and_then(|own| own.strip_suffix('"')).unwrap_or_default().parse()
                }
            };
            let number: u64 = number.map_err(|_| TestCaseError::fail(format!("{id} led to {seen}")))?;
            prop_assert!(number > last, "{} does not come after {}", seen, last);
            last = number;
            // A plugin that calls the node in its turn passes on the id that it was given.
            id = seen;
        }
        Ok(())
    });
    runtime.block_on(net.finish()).expect("the net ends well");
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn of_the_manual() {
    every_id_is_kept(Profile::Manual);
}

#[test]
fn of_v0_10() {
    every_id_is_kept(Profile::V0_10);
}

#[test]
fn of_v23_02() {
    every_id_is_kept(Profile::V23_02);
}

#[test]
fn of_v26_06() {
    every_id_is_kept(Profile::V26_06);
}

/// What a plugin makes of the id that it was given, before it gives the right answer.
#[derive(Debug, Clone, Copy)]
enum Forged {
    /// As JSON it is the same string.
    Escaped,
    /// The number within a string.
    Quoted,
    /// No id of any request.
    Word,
}

fn forge(id: &str, how: Forged) -> String {
    match how {
        Forged::Escaped => id.replace("cln", r"\u0063ln"),
        Forged::Quoted => format!("\"{id}\""),
        Forged::Word => "true".to_owned(),
    }
}

/// Which of two responses the caller gets, the first one with a forged id, or why the plugin was killed.
async fn outcome(profile: Profile, how: Forged) -> Result<String> {
    let liar = Mock::method("lie").reply(move |call: &Call| {
        let forged = forge(call.id().map_or("", |id| id.token()), how);
        let wrong = format!(r#"{{"jsonrpc":"2.0","id":{forged},"result":"first"}}"#);
        Reply::raw(wrong + r#"{"jsonrpc":"2.0","id":%ID%,"result":"second"}"#)
    });
    let net = Net::builder()
        .nodes(["l1"])
        .backend(Backend::Embedded)
        .profile(profile)
        .mount("l1", liar.named("liar"))
        .start()
        .await?;
    let [l1] = net.nodes();
    let outcome = match l1.rpc("lie", json!([])).await {
        Ok(result) => result.as_str().unwrap_or_default().to_owned(),
        Err(_) => l1.wait_for_log("plugin-liar: Killing plugin: ").await?.text,
    };
    net.finish().await?;
    Ok(outcome)
}

#[tokio::test]
async fn a_response_is_matched_by_the_text_of_its_id() -> Result {
    let unknown = "Killing plugin: Received a JSON-RPC response for non-existent request 'true'";
    let no_number = r#"Killing plugin: JSON-RPC response "id"-field is not a u64"#;
    for (profile, how, expected) in [
        (Profile::V26_06, Forged::Escaped, "second"),
        (Profile::V26_06, Forged::Word, "second"),
        (Profile::V23_02, Forged::Word, unknown),
        (Profile::V0_10, Forged::Quoted, "first"),
        (Profile::V0_10, Forged::Word, no_number),
    ] {
        assert_eq!(outcome(profile, how).await?, expected, "{profile} {how:?}");
    }
    Ok(())
}
