//! A chain in memory behind bitcoind's JSON-RPC. It begins with regtest's first block, and grows and changes as tests want.

use crate::running::DEADLINE;
use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::{
    Amount, Block, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
    transaction,
};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a coinbase pays.
pub(crate) const REWARD_SAT: u64 = 5_000_000_000;

/// The chain of one test. Clones are the same chain.
#[derive(Clone)]
pub(crate) struct Chain {
    blocks: Arc<Mutex<Blocks>>,
    /// How many transactions were sent.
    sends: watch::Sender<usize>,
}

struct Blocks {
    chain: Vec<Block>,
    /// What was sent, in order, again and again.
    sent: Vec<Transaction>,
    /// What bitcoind says to the next transactions.
    refusal: Option<&'static str>,
    /// Whether bitcoind says that it still fetches blocks of the past.
    is_behind: bool,
    /// How often a block cannot be read, although it has a hash.
    unreadable: u32,
    /// How many blocks were ever made, so that each is different.
    made: u32,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let chain = vec![genesis_block(Network::Regtest)];
        let blocks =
            Blocks { chain, sent: Vec::new(), refusal: None, is_behind: false, unreadable: 0, made: 0 };
        Self { blocks: Arc::new(Mutex::new(blocks)), sends: watch::Sender::new(0) }
    }

    /// A chain of `length` blocks behind the first, of which block 1 has a second transaction with these outputs.
    pub(crate) fn with_outputs(scripts: &[ScriptBuf], value_sat: u64, length: u32) -> Self {
        let value = Amount::from_sat(value_sat);
        let output = |script: &ScriptBuf| TxOut { value, script_pubkey: script.clone() };
        let spent = OutPoint { txid: Txid::from_byte_array([7; 32]), vout: 0 };
        let funding = transaction(spent, scripts.iter().map(output).collect(), 0);
        let chain = Self::new();
        for height in 1..=length {
            let funding = (height == 1).then_some(&funding);
            chain.mine(&ScriptBuf::new(), funding.map_or(&[], std::slice::from_ref));
        }
        chain
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().expect("nobody panics with the chain")
    }

    /// Serves the chain on a loopback port until the runtime ends.
    pub(crate) async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("the socket is bound");
        let chain = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(chain.clone().answer(client));
            }
        });
        address
    }

    /// The height of the tip.
    pub(crate) fn height(&self) -> usize {
        self.blocks().chain.len() - 1
    }

    /// Adds a block whose coinbase pays to `script`, with these transactions.
    pub(crate) fn mine(&self, script: &ScriptBuf, transactions: &[Transaction]) {
        self.blocks().mine(script, transactions);
    }

    /// Takes the newest `count` blocks away, and puts one more in their place: empty ones.
    pub(crate) fn reorganise(&self, count: usize) {
        let mut blocks = self.blocks();
        let kept = blocks.chain.len() - count;
        blocks.chain.truncate(kept);
        for _ in 0..=count {
            blocks.mine(&ScriptBuf::new(), &[]);
        }
    }

    /// Whether a transaction is in a block.
    pub(crate) fn contains(&self, txid: &Txid) -> bool {
        let blocks = self.blocks();
        blocks.chain.iter().flat_map(|block| &block.txdata).any(|tx| tx.compute_txid() == *txid)
    }

    /// What was sent so far, again and again.
    pub(crate) fn sent(&self) -> Vec<Transaction> {
        self.blocks().sent.clone()
    }

    /// Waits until so many transactions were sent.
    pub(crate) async fn sent_times(&self, times: usize) {
        let mut sends = self.sends.subscribe();
        let enough = tokio::time::timeout(DEADLINE, sends.wait_for(|sent| *sent >= times)).await;
        enough.expect("they are sent in time").expect("the chain is there");
    }

    /// bitcoind says that it still fetches blocks of the past.
    pub(crate) fn fall_behind(&self) {
        self.blocks().is_behind = true;
    }

    /// Refuses transactions from now on, in these words.
    pub(crate) fn refuse(&self, words: &'static str) {
        self.blocks().refusal = Some(words);
    }

    /// Has the next block not yet on its disk when it is asked for.
    pub(crate) fn write_late(&self) {
        self.blocks().unreadable += 1;
    }

    async fn answer(self, client: TcpStream) -> io::Result<()> {
        let mut client = BufReader::new(client);
        loop {
            let mut length = 0;
            loop {
                let mut header = String::new();
                if client.read_line(&mut header).await? == 0 {
                    return Ok(());
                }
                if header == "\r\n" {
                    break;
                }
                if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().map_err(io::Error::other)?;
                }
            }
            let mut body = vec![0; length];
            client.read_exact(&mut body).await?;
            let request: Value = serde_json::from_slice(&body)?;
            let reply = self.blocks().reply(&request);
            self.sends.send_replace(self.blocks().sent.len());
            let reply = match reply {
                Ok(result) => json!({ "id": request["id"], "result": result, "error": null }),
                Err((code, message)) => {
                    let error = json!({ "code": code, "message": message });
                    json!({ "id": request["id"], "result": null, "error": error })
                }
            };
            let reply = reply.to_string();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", reply.len());
            client.write_all(format!("{head}{reply}").as_bytes()).await?;
        }
    }
}

impl Blocks {
    fn mine(&mut self, script: &ScriptBuf, transactions: &[Transaction]) {
        self.made += 1;
        let coinbase = transaction(
            OutPoint::null(),
            vec![TxOut { value: Amount::from_sat(REWARD_SAT), script_pubkey: script.clone() }],
            self.made,
        );
        let last = self.chain.last().expect("the first block stays").header;
        let header = Header {
            version: Version::NO_SOFT_FORK_SIGNALLING,
            prev_blockhash: last.block_hash(),
            time: last.time + 600,
            nonce: self.made,
            ..last
        };
        let txdata = [&[coinbase], transactions].concat();
        let mut block = Block { header, txdata };
        block.header.merkle_root = block.compute_merkle_root().expect("there is a coinbase");
        self.chain.push(block);
    }

    fn reply(&mut self, request: &Value) -> Result<Value, (i64, &'static str)> {
        let (first, height) = (&request["params"][0], self.chain.len() - 1);
        let out_of_range = (-8, "Block height out of range");
        Ok(match request["method"].as_str() {
            Some("getblockchaininfo") => {
                let ibd = self.is_behind;
                json!({ "chain": "regtest", "headers": height, "blocks": height, "initialblockdownload": ibd })
            }
            Some("getblockhash") => {
                let height = first.as_u64().and_then(|height| usize::try_from(height).ok());
                let block = height.and_then(|height| self.chain.get(height)).ok_or(out_of_range)?;
                block.block_hash().to_string().into()
            }
            Some("getblock") if self.unreadable > 0 => {
                self.unreadable -= 1;
                return Err((-1, "Block not found on disk"));
            }
            Some("getblock") => {
                let wanted = |block: &&Block| *first == block.block_hash().to_string();
                serialize_hex(self.chain.iter().find(wanted).ok_or(out_of_range)?).into()
            }
            Some("gettxout") => self.output(first, &request["params"][1]),
            // 1000 sat per kw, for every number of blocks.
            Some("getmempoolinfo") => json!({ "mempoolminfee": 0.000_01, "minrelaytxfee": 0.000_01 }),
            Some("estimatesmartfee") => json!({ "feerate": 0.000_04, "blocks": 2 }),
            Some("sendrawtransaction") => {
                if let Some(words) = self.refusal {
                    return Err((-26, words));
                }
                let tx: Transaction = deserialize_hex(first.as_str().unwrap_or_default())
                    .map_err(|_| (-22, "TX decode failed"))?;
                let txid = tx.compute_txid();
                self.sent.push(tx);
                txid.to_string().into()
            }
            _ => return Err((-32_601, "Method not found")),
        })
    }

    /// An output; all of them are unspent.
    fn output(&self, txid: &Value, vout: &Value) -> Value {
        let mut transactions = self.chain.iter().flat_map(|block| &block.txdata);
        let transaction = transactions.find(|tx| *txid == tx.compute_txid().to_string());
        let vout = vout.as_u64().and_then(|vout| usize::try_from(vout).ok());
        match transaction.zip(vout).and_then(|(transaction, vout)| transaction.output.get(vout)) {
            Some(output) => json!({
                "value": output.value.to_btc(),
                "scriptPubKey": { "hex": output.script_pubkey.to_hex_string() },
            }),
            None => Value::Null,
        }
    }
}

/// A transaction with one input, which `number` makes different from others.
pub(crate) fn transaction(spent: OutPoint, output: Vec<TxOut>, number: u32) -> Transaction {
    let input = TxIn {
        previous_output: spent,
        script_sig: ScriptBuf::new(),
        sequence: Sequence(number),
        witness: Witness::new(),
    };
    Transaction { version: transaction::Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output }
}
