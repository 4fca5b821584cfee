//! Property: whatever a chain of plugins answers to `rpc_command`, they are asked in their order, each once,
//! until a second one modifies the command; the first one that did decides.

use leyden::{Backend, Call, Filter, Mock, Net, Node, Reply, Result};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What one plugin answers.
#[derive(Debug, Clone)]
enum Answer {
    Continue,
    /// Has `echo` executed with this instead.
    Replace(u8),
    /// Has a method executed that nobody has.
    ReplaceUnknown,
    ReturnResult(u8),
    ReturnError(u8),
    /// A `result` that is not `continue`.
    Nonsense,
}

/// What the caller gets.
#[derive(Debug, PartialEq)]
enum Outcome {
    Result(Value),
    Error(i64),
}

/// The code of a command that a hook has made impossible.
const INVALID_REQUEST: i64 = -32600;

/// The model: the first modification counts, nonsense is as good as continue.
fn expected(answers: &[Answer], params: &Value) -> Outcome {
    let decides = |answer: &Answer| match answer {
        Answer::Continue | Answer::Nonsense => None,
        Answer::Replace(number) => Some(Outcome::Result(json!({ "echo": [number] }))),
        Answer::ReplaceUnknown => Some(Outcome::Error(INVALID_REQUEST)),
        Answer::ReturnResult(number) => Some(Outcome::Result(json!({ "returned": number }))),
        Answer::ReturnError(number) => Some(Outcome::Error(i64::from(*number))),
    };
    answers.iter().find_map(decides).unwrap_or_else(|| Outcome::Result(json!({ "echo": params })))
}

/// The model: how many are asked. Who modifies what is modified already ends the chain.
fn asked(answers: &[Answer]) -> usize {
    let modifies = |(_, answer): &(usize, &Answer)| !matches!(answer, Answer::Continue | Answer::Nonsense);
    answers.iter().enumerate().filter(modifies).nth(1).map_or(answers.len(), |(place, _)| place + 1)
}

fn reply(answer: &Answer) -> Reply {
    match answer {
        Answer::Continue => Reply::cont(),
        Answer::Replace(number) => Reply::replace("echo", json!([number])),
        Answer::ReplaceUnknown => Reply::replace("nobody-has-this", json!([])),
        Answer::ReturnResult(number) => Reply::return_(json!({ "returned": number })),
        Answer::ReturnError(number) => Reply::return_error(i64::from(*number), "refused"),
        Answer::Nonsense => Reply::result(json!({ "result": "banana" })),
    }
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        3 => Just(Answer::Continue),
        1 => any::<u8>().prop_map(Answer::Replace),
        1 => Just(Answer::ReplaceUnknown),
        1 => any::<u8>().prop_map(Answer::ReturnResult),
        // The harness gives 0 for an error without a code.
        1 => (1..=u8::MAX).prop_map(Answer::ReturnError),
        1 => Just(Answer::Nonsense),
    ]
}

/// What the plugins are to answer to the next command, and who has been asked, in order.
#[derive(Default)]
struct Script {
    /// By the place in [`ORDER`].
    answers: Vec<Answer>,
    asked: Vec<usize>,
}

const PLUGINS: usize = 4;

/// Registered as 0, 1, 2, 3; the last one wants to be asked before the first.
const ORDER: [usize; PLUGINS] = [1, 2, 3, 0];

fn plugin(number: usize, script: &Arc<Mutex<Script>>) -> Mock {
    let script = Arc::clone(script);
    let hook = Mock::hook("rpc_command").filters([Filter::Method("echo".to_owned())]);
    let hook = if number == 3 { hook.before("plugin-0") } else { hook };
    hook.reply(move |_: &Call| {
        let mut script = script.lock().unwrap();
        script.asked.push(number);
        let place = ORDER.iter().position(|one| *one == number).unwrap();
        reply(&script.answers[place])
    })
    .named(&format!("plugin-{number}"))
}

async fn net(script: &Arc<Mutex<Script>>) -> Result<Net> {
    let echo = Mock::method("echo").reply(|call: &Call| Reply::result(json!({ "echo": call.params() })));
    let mut builder = Net::builder()
        .nodes(["l1"])
        .backend(Backend::Embedded)
        .mount("l1", echo.named("echo"))
        .broken_log("l1", "Bad response to 'rpc_command' hook");
    for number in 0..PLUGINS {
        builder = builder.mount("l1", plugin(number, script));
    }
    builder.start().await
}

async fn outcome(node: &Node, params: &Value) -> Outcome {
    match node.rpc("echo", params.clone()).await {
        Ok(result) => Outcome::Result(result),
        Err(error) => Outcome::Error(error.code()),
    }
}

#[test]
fn the_first_modification_decides_and_everybody_is_asked_in_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let script = Arc::new(Mutex::new(Script::default()));
    let net = runtime.block_on(net(&script)).unwrap();
    let [l1] = net.nodes();
    let cases = (prop::collection::vec(answer(), PLUGINS), any::<u8>());
    let result = TestRunner::default().run(&cases, |(answers, number)| {
        *script.lock().unwrap() = Script { answers: answers.clone(), asked: Vec::new() };
        let params = json!([number]);
        prop_assert_eq!(runtime.block_on(outcome(&l1, &params)), expected(&answers, &params));
        prop_assert_eq!(&script.lock().unwrap().asked[..], &ORDER[..asked(&answers)]);
        Ok(())
    });
    runtime.block_on(net.finish()).unwrap();
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
