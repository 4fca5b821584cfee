//! A chain in memory, served by a mock: a net on it needs no bitcoind.
//!
//! * `blocks`: the blocks, valid on regtest, with transactions and reorganisations.
//! * `answers`: what the five methods of a Bitcoin backend say of it.

mod answers;
mod blocks;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bitcoin::{Address, Amount, BlockHash, Network, Transaction, Txid};
use leyden_mock_plugins::{Call, Clause, Match, Mock, Reply, Respond};
use tokio::sync::watch;

use blocks::Blocks;

/// As long as the chain of a net with a bitcoind.
const FIRST_BLOCKS: u32 = 101;

/// The five methods of a Bitcoin backend.
const METHODS: [&str; 5] =
    ["getchaininfo", "getrawblockbyheight", "sendrawtransaction", "getutxout", "estimatefees"];

/// A chain on regtest that a test makes block by block, and a Bitcoin backend that tells nodes of it. Clones are the same chain.
///
/// With [`NetBuilder::chain`](crate::NetBuilder::chain), every node of a net has it for its backend, and no bitcoind is started: such a net
/// is ready in some 20 ms. Every run makes the same blocks, with the same hashes.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use leyden::{Call, MockChain, Net, Reply};
/// use serde_json::json;
///
/// let chain = MockChain::new();
/// let net = Net::builder().nodes(["l1"]).chain(&chain).may_fail("l1").broken_log("l1", ".").start().await?;
/// let [l1] = net.nodes();
/// chain.generate_block(2);
/// l1.rpc("waitblockheight", json!([103])).await?;
/// chain.on("estimatefees", |_: &Call| true, Reply::error(-1, "out of estimates"));
/// l1.wait_for_log("bad response to estimatefees").await?;
/// net.finish().await
/// # }).unwrap();
/// ```
///
/// A chain is also a [`Mock`] by itself, or several: [`MockChain::serving`] tells which methods it serves, so that a plugin of the author's, or
/// another mock, may bring the others.
#[derive(Clone)]
pub struct MockChain {
    shared: Arc<Shared>,
    methods: Vec<&'static str>,
}

struct Shared {
    state: Mutex<State>,
    /// Counts the changes.
    changes: watch::Sender<u64>,
}

/// What the backend says when it is asked.
struct State {
    blocks: Blocks,
    network: String,
    /// More headers than blocks, if the test wants it.
    headercount: Option<u32>,
    ibd: bool,
    feerates: [u32; 4],
    feerate_floor: u32,
    exceptions: Vec<Exception>,
}

/// What is done instead of an answer.
struct Exception {
    method: &'static str,
    when: Box<dyn Match>,
    reply: Arc<dyn Respond>,
}

impl Default for MockChain {
    fn default() -> Self {
        Self::new()
    }
}

impl MockChain {
    /// A chain of 101 blocks, as a net with a bitcoind begins; the fees are those of pyln-testing.
    pub fn new() -> Self {
        let chain = Self::genesis();
        chain.generate_block(FIRST_BLOCKS);
        chain
    }

    /// A chain that has only regtest's first block.
    pub fn genesis() -> Self {
        let state = State {
            blocks: Blocks::genesis(),
            network: "regtest".to_owned(),
            headercount: None,
            ibd: false,
            feerates: [15_000, 11_000, 7_500, 3_750],
            feerate_floor: 253,
            exceptions: Vec::new(),
        };
        let shared = Shared { state: Mutex::new(state), changes: watch::Sender::new(0) };
        Self { shared: Arc::new(shared), methods: METHODS.to_vec() }
    }

    /// The same chain, by some of the five methods only.
    ///
    /// # Panics
    /// If one is none of the five.
    #[track_caller]
    pub fn serving<'a>(&self, methods: impl IntoIterator<Item = &'a str>) -> Self {
        Self { shared: Arc::clone(&self.shared), methods: methods.into_iter().map(method_named).collect() }
    }

    /// Mines so many blocks, the first with every transaction that was sent; gives their hashes.
    pub fn generate_block(&self, blocks: u32) -> Vec<BlockHash> {
        self.change(|state| (0..blocks).map(|_| state.blocks.mine()).collect())
    }

    /// Forks the chain at `height` and mines the transactions that this frees again, at `height + shift`; gives the hashes of the
    /// new blocks. The new chain is one block longer than the old one, or ends at `height + shift` if that is higher.
    ///
    /// # Panics
    /// If there is no block at `height`, or if it is the first one.
    #[track_caller]
    pub fn simple_reorg(&self, height: u32, shift: u32) -> Vec<BlockHash> {
        let tip = self.block_count();
        assert!((1..=tip).contains(&height), "a chain of height {tip} cannot be forked at {height}");
        self.change(|state| state.blocks.reorganise(height, shift))
    }

    /// Loses all blocks above `height`, as a bitcoind that was restored from a backup. Their transactions are lost too.
    pub fn lose_blocks_above(&self, height: u32) {
        self.change(|state| state.blocks.truncate(height));
    }

    /// Says that there are this many headers, blocks or not; `None` is as many as blocks.
    pub fn set_headercount(&self, headercount: impl Into<Option<u32>>) {
        self.change(|state| state.headercount = headercount.into());
    }

    /// Says whether the initial block download is under way.
    pub fn set_ibd(&self, ibd: bool) {
        self.change(|state| state.ibd = ibd);
    }

    /// Says that this is another network, by its name in BIP 70: `main`, `test`, `signet`.
    pub fn set_network(&self, name: &str) {
        self.change(|state| name.clone_into(&mut state.network));
    }

    /// The estimates for 2, 6, 12 and 100 blocks, in sat per kw; 0 is an unknown one.
    pub fn set_feerates(&self, perkw: [u32; 4]) {
        self.change(|state| state.feerates = perkw);
    }

    /// What is relayed at least, in sat per kw.
    pub fn set_feerate_floor(&self, perkw: u32) {
        self.change(|state| state.feerate_floor = perkw);
    }

    /// Does something else about those calls of `method` that fulfil a condition, such as [`matching::nth`](crate::matching::nth): fails,
    /// hangs, dies, lies. Of several, the last that was given counts.
    ///
    /// # Panics
    /// If it is none of the five methods.
    #[track_caller]
    pub fn on(&self, method: &str, when: impl Match + 'static, reply: impl Respond + 'static) {
        let method = method_named(method);
        let exception = Exception { method, when: Box::new(when), reply: Arc::new(reply) };
        self.change(|state| state.exceptions.push(exception));
    }

    /// Forgets everything that [`MockChain::on`] was told.
    pub fn as_usual(&self) {
        self.change(|state| state.exceptions.clear());
    }

    /// The height of the last block.
    pub fn block_count(&self) -> u32 {
        self.lock().blocks.height()
    }

    /// The hash of the last block.
    pub fn best_block_hash(&self) -> BlockHash {
        self.lock().blocks.tip().block_hash()
    }

    /// A coinbase, which anybody can spend; its output is the first one.
    ///
    /// # Panics
    /// If there is no block at `height`.
    #[track_caller]
    pub fn coinbase(&self, height: u32) -> Transaction {
        let state = self.lock();
        let block = state.blocks.at(height).unwrap_or_else(|| panic!("there is no block at {height}"));
        block.txdata[0].clone()
    }

    /// Pays so many satoshi to an address, out of a coinbase that nobody has spent, and leaves the transaction for the next block; gives
    /// its id.
    ///
    /// # Panics
    /// If the address is none of regtest, or if every coinbase is spent.
    #[track_caller]
    pub fn send_to(&self, address: &str, amount_sat: u64) -> Txid {
        let script = address
            .parse()
            .ok()
            .and_then(|address: Address<_>| address.require_network(Network::Regtest).ok());
        let script = script.unwrap_or_else(|| panic!("{address} is no address of regtest")).script_pubkey();
        let tx = self.change(|state| state.blocks.pay(script, Amount::from_sat(amount_sat)));
        tx.unwrap_or_else(|| panic!("every coinbase of the chain is spent"))
    }

    /// The transactions that were sent and are in no block yet.
    pub fn mempool(&self) -> Vec<Txid> {
        self.lock().blocks.mempool.iter().map(Transaction::compute_txid).collect()
    }

    /// Counts the changes, to wait for the next one.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    fn answer(&self, method: &str, call: &Call) -> Reply {
        let mut state = self.lock();
        let exception = state.exceptions.iter().rev();
        let exception = exception.filter(|one| one.method == method).find(|one| one.when.matches(call));
        match exception.map(|exception| Arc::clone(&exception.reply)) {
            Some(reply) => {
                // It may look at the chain.
                drop(state);
                reply.respond(call)
            }
            None => state.answer(method, call),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.shared.changes.send_modify(|changes| *changes += 1);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A backend that is not dynamic, as CLN's own is not: a node does not outlive it.
impl From<MockChain> for Mock {
    fn from(chain: MockChain) -> Self {
        let mut mock = Mock::plugin("mock-chain").dynamic(false);
        for method in chain.methods.clone() {
            let chain = chain.clone();
            let clause: Clause<_> = Mock::method(method);
            mock = mock.and(clause.reply(move |call: &Call| chain.answer(method, call)));
        }
        mock
    }
}

impl From<&MockChain> for MockChain {
    fn from(chain: &MockChain) -> Self {
        chain.clone()
    }
}

impl fmt::Debug for MockChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockChain")
            .field("height", &self.block_count())
            .field("methods", &self.methods)
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn method_named(name: &str) -> &'static str {
    let found = METHODS.into_iter().find(|method| *method == name);
    found.unwrap_or_else(|| panic!("a Bitcoin backend has no method '{name}', but {METHODS:?}"))
}
