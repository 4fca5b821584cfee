//! Sequences, one after the other, each on a net of its own; the bitcoind below them is the same for many.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use leyden::{Backend, Deadline, Error, Net, Node, Result};
use leyden_scenarios::Wrong;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner, contextualize_config};
use tokio::runtime::Runtime;

use crate::action::Action;
use crate::stage::{FEERATES, Stage, judge};
use crate::step::Step;
use crate::{model, print, step};

/// In all tests together, if the environment does not say otherwise.
const SEQUENCES: u32 = 200;

/// So many use a bitcoind: on regtest, blocks are soon worth nothing.
const PER_BITCOIND: usize = 40;

/// So many blocks that no node sees the last sequence's: one that is killed while it catches up begins a block earlier the next time.
const BETWEEN_SEQUENCES: u32 = 12;

/// To find a short sequence that fails is worth so much, of which each attempt may take a part.
const SHRINKING: Duration = Duration::from_secs(60);

/// No action takes longer; once one has failed, there is less patience.
const LONGEST_ACTION: [Duration; 2] = [Duration::from_secs(40), Duration::from_secs(8)];

/// Nobody waits long for what such a node does.
const PATIENCE_WITH_WRONG_NODES: Duration = Duration::from_secs(2);

/// Plays so many hundredths of all sequences on this many nodes.
#[expect(clippy::print_stdout, reason = "the seed is to be seen")]
pub(crate) fn property(nodes: usize, percent: u32) {
    let mut config = contextualize_config(Config::with_cases(SEQUENCES));
    config.cases = (config.cases * percent).div_ceil(100);
    config.max_shrink_time = u32::try_from(SHRINKING.as_millis()).expect("it is short");
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().build_hasher().finish(),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let what = format!("{} sequences on {nodes} nodes with PROPTEST_RNG_SEED={seed}", config.cases);
    println!("net_model: {what}");
    if let Some(found) = search(Theatre::new(nodes, None), config, &step::sequence(nodes)) {
        panic!("net_model, {what}: {found}");
    }
}

/// A sequence that fails, as short as it could be made.
pub(crate) struct Found {
    pub(crate) why: String,
    pub(crate) plan: Vec<Action>,
    /// The test, as it is printed.
    pub(crate) body: String,
    /// Where it is with its verbs, beside what its nodes have left behind.
    pub(crate) file: PathBuf,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, body, file, .. } = self;
        write!(f, "{why}\nThe sequence, which is in {} with its verbs, to be run:\n\n{body}", file.display())
    }
}

/// Plays sequences until one fails.
pub(crate) fn search(
    theatre: Theatre,
    mut config: Config,
    sequences: &impl Strategy<Value = Vec<Step>>,
) -> Option<Found> {
    config.failure_persistence = None;
    let nodes = theatre.names.len();
    let theatre = RefCell::new(theatre);
    let result = TestRunner::new(config)
        .run(sequences, |steps| theatre.borrow_mut().play(&model::plan(nodes, &steps)));
    let evidence = theatre.into_inner().close();
    let (why, steps) = match result {
        Ok(()) => return None,
        Err(TestError::Abort(why)) => panic!("sequences cannot be drawn: {why}"),
        Err(TestError::Fail(why, steps)) => (why.to_string(), steps),
    };
    let plan = model::plan(nodes, &steps);
    let file = evidence.unwrap_or_default().join("sequence.rs");
    // What cannot be written is still printed.
    drop(std::fs::write(&file, print::test(nodes, &plan)));
    Some(Found { why, body: print::body(nodes, &plan), plan, file })
}

/// Where sequences are played.
pub(crate) struct Theatre {
    runtime: Runtime,
    names: Vec<String>,
    /// What is wrong with nodes that are killed.
    wrong: Option<Wrong>,
    /// The words of the only failure that counts, while others are looked for: a busy machine may be late with anything.
    counts: Option<&'static str>,
    /// A net without nodes, for its bitcoind, and how many sequences it has seen.
    ground: Option<(Net, usize)>,
    /// What the last sequence that failed has left behind.
    evidence: Option<PathBuf>,
}

impl Theatre {
    pub(crate) fn new(nodes: usize, wrong: Option<Wrong>) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let names = (1..=nodes).map(|node| format!("l{node}")).collect();
        Self { runtime, names, wrong, counts: None, ground: None, evidence: None }
    }

    pub(crate) fn counting(self, words: &'static str) -> Self {
        Self { counts: Some(words), ..self }
    }

    /// Something else is wrong with nodes from now on; what the last wrong ones have left behind is removed.
    pub(crate) fn go_wrong(&mut self, wrong: Option<Wrong>) {
        self.wrong = wrong;
        if let Some(evidence) = self.evidence.take() {
            std::fs::remove_dir_all(evidence).expect("it was kept");
        }
    }

    pub(crate) fn play(&mut self, plan: &[Action]) -> std::result::Result<(), TestCaseError> {
        let (ground, played) = match self.ground.take() {
            Some((ground, played)) if played < PER_BITCOIND => (ground, played),
            worn => {
                self.ground = worn;
                self.close_ground();
                (self.runtime.block_on(Net::builder().start()).expect("a bitcoind"), 0)
            }
        };
        // Names decide keys: what other nodes have left in the mempool would be taken for these nodes' own.
        let buried = ground.bitcoind().generate_block(BETWEEN_SEQUENCES).into_future();
        self.runtime.block_on(buried).expect("bitcoind mines");
        let net = self
            .runtime
            .block_on(self.net(&ground))
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let dir = net.run_dir().to_owned();
        let played_well = self.runtime.block_on(self.perform(net, plan));
        self.ground = Some((ground, played + 1));
        let Err(error) = played_well.map_err(|error| error.to_string()) else { return Ok(()) };
        if self.counts.is_some_and(|words| !error.contains(words)) {
            drop(std::fs::remove_dir_all(dir));
            return Ok(());
        }
        // The last one is the shortest.
        if let Some(longer) = self.evidence.replace(dir) {
            drop(std::fs::remove_dir_all(longer));
        }
        Err(TestCaseError::fail(error))
    }

    async fn net(&self, ground: &Net) -> Result<Net> {
        let net = Net::builder()
            .nodes(&self.names)
            .backend(Backend::Embedded)
            .bitcoind_of(ground)
            .feerates(FEERATES);
        self.names.iter().fold(net, |net, name| net.mount(name, judge())).start().await
    }

    fn close_ground(&mut self) {
        if let Some((ground, _)) = self.ground.take() {
            self.runtime.block_on(ground.finish()).expect("a bitcoind ends");
        }
    }

    pub(crate) fn close(mut self) -> Option<PathBuf> {
        self.close_ground();
        self.evidence
    }

    async fn perform(&self, mut net: Net, plan: &[Action]) -> Result {
        let nodes: Vec<Node> = self.names.iter().map(|name| net.node(name)).collect();
        let mut stage = Stage::new(&net, &nodes.iter().collect::<Vec<_>>());
        let in_a_hurry = self.evidence.is_some() && self.wrong.is_none();
        if in_a_hurry {
            stage.hurry();
        }
        let mut played = Ok(());
        for (place, action) in plan.iter().enumerate() {
            let playing = async {
                match (action, self.wrong) {
                    (Action::Kill(node), Some(wrong)) => {
                        kill_and_start_wrong(&net, &nodes[*node], wrong, &mut stage).await
                    }
                    _ => action.play(&net, &nodes, &mut stage).await,
                }
            };
            let action_ends =
                Deadline::after(LONGEST_ACTION[usize::from(in_a_hurry)]).limit("an action", playing);
            played = action_ends.await.and_then(|done| done).map_err(|error| {
                let what = format!("action {place} of {}: {action}", plan.len());
                Error::new(error.fault(), what).came("it failed").because(error)
            });
            if played.is_err() {
                break;
            }
        }
        if played.is_err() {
            net.keep()?;
        }
        // A net that has failed need not end well.
        let finished = net.finish().await;
        played.and(finished)
    }
}

async fn kill_and_start_wrong(net: &Net, node: &Node, wrong: Wrong, stage: &mut Stage<'_>) -> Result {
    node.kill().await?;
    wrong.leave(net, node)?;
    stage.patience = PATIENCE_WITH_WRONG_NODES;
    node.start().await
}
