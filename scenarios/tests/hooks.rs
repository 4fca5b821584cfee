//! Property: whatever plugins want of their neighbours and answer, and whenever they die, they are asked in
//! the order that the model says, and what comes of the command is what the model says.
//!
//! The hook is `rpc_command`, whose answers have the richest effects.

use leyden::{Backend, Call, Filter, Mock, Net, Node, Reply, Result};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// What one plugin does about one call.
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
    Die,
}

/// One plugin, whose name is its place in the case. Numbers that no plugin has are names of nobody.
#[derive(Debug, Clone)]
struct Planned {
    before: BTreeSet<usize>,
    after: BTreeSet<usize>,
    /// To one call after the other.
    answers: [Answer; CALLS],
}

/// What the caller gets.
#[derive(Debug, PartialEq)]
enum Outcome {
    Result(Value),
    Error(i64),
}

const CALLS: usize = 2;

/// The code of a command that a hook has made impossible.
const INVALID_REQUEST: i64 = -32600;

/// The model: who lives, and in which order they are asked.
#[derive(Debug, Default)]
struct Model {
    alive: BTreeSet<usize>,
    order: Vec<usize>,
}

impl Model {
    /// A plugin is started. Says whether it can be placed; nobody else is touched if not.
    fn start(&mut self, newcomer: usize, plans: &[Planned]) -> bool {
        let mut waiting: BTreeSet<usize> = self.alive.iter().copied().chain([newcomer]).collect();
        let mut order = Vec::new();
        // Of those that wait for nobody, the first that was started.
        let is_free = |waiting: &BTreeSet<usize>, one: usize| {
            let precedes =
                |other: usize| plans[other].before.contains(&one) || plans[one].after.contains(&other);
            !waiting.iter().any(|other| precedes(*other))
        };
        while let Some(free) = waiting.iter().copied().find(|one| is_free(&waiting, *one)) {
            waiting.remove(&free);
            order.push(free);
        }
        if !waiting.is_empty() {
            return false;
        }
        self.alive.insert(newcomer);
        self.order = order;
        true
    }

    /// Who is asked in a call, and what comes of it: the first modification counts, and the second one ends the chain.
    fn call(&mut self, nth: usize, plans: &[Planned], params: &Value) -> (Vec<usize>, Outcome) {
        let (mut asked, mut outcome) = (Vec::new(), None);
        for plugin in self.order.clone() {
            asked.push(plugin);
            let modification = match &plans[plugin].answers[nth] {
                Answer::Continue | Answer::Nonsense => continue,
                Answer::Die => {
                    self.alive.remove(&plugin);
                    self.order.retain(|other| *other != plugin);
                    continue;
                }
                Answer::Replace(number) => Outcome::Result(json!({ "echo": [number] })),
                Answer::ReplaceUnknown => Outcome::Error(INVALID_REQUEST),
                Answer::ReturnResult(number) => Outcome::Result(json!({ "returned": number })),
                Answer::ReturnError(number) => Outcome::Error(i64::from(*number)),
            };
            if outcome.is_some() {
                break;
            }
            outcome = Some(modification);
        }
        (asked, outcome.unwrap_or_else(|| Outcome::Result(json!({ "echo": params }))))
    }
}

fn reply(answer: &Answer) -> Reply {
    match answer {
        Answer::Continue => Reply::cont(),
        Answer::Replace(number) => Reply::replace("echo", json!([number])),
        Answer::ReplaceUnknown => Reply::replace("nobody-has-this", json!([])),
        Answer::ReturnResult(number) => Reply::return_(json!({ "returned": number })),
        Answer::ReturnError(number) => Reply::return_error(i64::from(*number), "refused"),
        Answer::Nonsense => Reply::result(json!({ "result": "banana" })),
        Answer::Die => Reply::exit(1),
    }
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => Just(Answer::Continue),
        1 => any::<u8>().prop_map(Answer::Replace),
        1 => Just(Answer::ReplaceUnknown),
        1 => any::<u8>().prop_map(Answer::ReturnResult),
        // The harness gives 0 for an error without a code.
        1 => (1..=u8::MAX).prop_map(Answer::ReturnError),
        1 => Just(Answer::Nonsense),
        2 => Just(Answer::Die),
    ]
}

fn planned() -> impl Strategy<Value = Planned> {
    let neighbours = || prop::collection::btree_set(0..7usize, 0..2);
    (neighbours(), neighbours(), [answer(), answer()]).prop_map(|(before, after, answers)| Planned {
        before,
        after,
        answers,
    })
}

/// Who has been asked so far, in order, and in the how-manieth call of the case that is.
#[derive(Default)]
struct Script {
    nth: usize,
    asked: Vec<usize>,
}

fn name(plugin: usize) -> String {
    format!("plugin-{plugin}")
}

fn mock(number: usize, plan: &Planned, script: &Arc<Mutex<Script>>) -> Mock {
    let (script, answers) = (Arc::clone(script), plan.answers.clone());
    let mut hook = Mock::hook("rpc_command").filters([Filter::Method("echo".to_owned())]);
    for other in &plan.before {
        hook = hook.before(&name(*other));
    }
    for other in &plan.after {
        hook = hook.after(&name(*other));
    }
    hook.reply(move |_: &Call| {
        let mut script = script.lock().unwrap();
        script.asked.push(number);
        reply(&answers[script.nth])
    })
    .named(&name(number))
}

async fn net() -> Result<Net> {
    let echo = Mock::method("echo").reply(|call: &Call| Reply::result(json!({ "echo": call.params() })));
    Net::builder()
        .nodes(["l1"])
        .backend(Backend::Embedded)
        .mount("l1", echo.named("echo"))
        .broken_log("l1", "Bad response to 'rpc_command' hook")
        .start()
        .await
}

async fn outcome(node: &Node, params: &Value) -> Outcome {
    match node.rpc("echo", params.clone()).await {
        Ok(result) => Outcome::Result(result),
        Err(error) => Outcome::Error(error.code()),
    }
}

/// Plays one case on a node that has no such plugins, and leaves it so.
async fn play(node: &Node, plans: &[Planned]) -> std::result::Result<(), TestCaseError> {
    let (script, mut model) = (Arc::new(Mutex::new(Script::default())), Model::default());
    for (number, plan) in plans.iter().enumerate() {
        let started = node.mount(mock(number, plan, &script)).await.is_ok();
        prop_assert_eq!(started, model.start(number, plans), "the start of {}", name(number));
    }
    for nth in 0..CALLS {
        *script.lock().unwrap() = Script { nth, asked: Vec::new() };
        let params = json!([nth]);
        let (asked, expected) = model.call(nth, plans, &params);
        prop_assert_eq!(outcome(node, &params).await, expected);
        prop_assert_eq!(&script.lock().unwrap().asked, &asked);
    }
    for survivor in &model.alive {
        let stopped = node.stop_plugin(&name(*survivor)).await;
        prop_assert!(stopped.is_ok(), "{} lives", name(*survivor));
    }
    Ok(())
}

#[test]
fn plugins_are_asked_in_their_order_and_the_first_modification_decides() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let net = runtime.block_on(net()).unwrap();
    let [l1] = net.nodes();
    let mut runner = TestRunner::new(Config::with_cases(64));
    let cases = prop::collection::vec(planned(), 1..=5);
    let result = runner.run(&cases, |plans| runtime.block_on(play(&l1, &plans)));
    runtime.block_on(net.finish()).unwrap();
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
