//! A chain that stands still behind bitcoind's JSON-RPC: regtest's first block is what a node needs to start.

use bitcoin::absolute::LockTime;
use bitcoin::block::Header;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Block, Network, OutPoint, ScriptBuf, Transaction, TxIn, TxMerkleNode, TxOut, Txid};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Regtest's first block.
pub(crate) fn first_block() -> Vec<Block> {
    vec![genesis_block(Network::Regtest)]
}

/// A chain of `length` blocks behind the first, of which block 1 has a second transaction with these outputs.
pub(crate) fn with_outputs(scripts: &[ScriptBuf], value_sat: u64, length: u32) -> Vec<Block> {
    let output =
        |script: &ScriptBuf| TxOut { value: Amount::from_sat(value_sat), script_pubkey: script.clone() };
    let spending = OutPoint { txid: Txid::from_byte_array([7; 32]), vout: 0 };
    let funding = transaction(spending, scripts.iter().map(output).collect());
    let mut chain = first_block();
    for height in 1..=length {
        let coinbase = transaction(OutPoint::null(), vec![output(&ScriptBuf::new())]);
        let rest = (height == 1).then(|| funding.clone());
        let previous = chain.last().expect("there is a first block");
        let header = Header { prev_blockhash: previous.block_hash(), nonce: height, ..previous.header };
        let header = Header { merkle_root: TxMerkleNode::all_zeros(), ..header };
        chain.push(Block { header, txdata: [coinbase].into_iter().chain(rest).collect() });
    }
    chain
}

fn transaction(spending: OutPoint, output: Vec<TxOut>) -> Transaction {
    let input = vec![TxIn { previous_output: spending, ..TxIn::default() }];
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output }
}

/// Serves a chain on a loopback port until the runtime ends. Every output of it is unspent.
pub(crate) async fn serve(chain: Vec<Block>) -> SocketAddr {
    let chain = Arc::new(chain);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("the socket is bound");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(answer(client, Arc::clone(&chain)));
        }
    });
    address
}

async fn answer(client: TcpStream, chain: Arc<Vec<Block>>) -> io::Result<()> {
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
        let reply = reply(&request, &chain).to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", reply.len());
        client.write_all(format!("{head}{reply}").as_bytes()).await?;
    }
}

fn reply(request: &Value, chain: &[Block]) -> Value {
    let first = &request["params"][0];
    let block = |hash: &str| chain.iter().find(|block| block.block_hash().to_string() == hash);
    let tip = chain.len() - 1;
    let result = match request["method"].as_str() {
        Some("getblockchaininfo") => {
            Some(json!({ "chain": "regtest", "headers": tip, "blocks": tip, "initialblockdownload": false }))
        }
        Some("getblockhash") => {
            let height = first.as_u64().and_then(|height| usize::try_from(height).ok());
            height.and_then(|height| chain.get(height)).map(|block| json!(block.block_hash().to_string()))
        }
        Some("getblock") => first.as_str().and_then(block).map(|block| json!(serialize_hex(block))),
        Some("gettxout") => Some(output(chain, request)),
        _ => None,
    };
    let error = json!({ "code": -8, "message": "Block height out of range" });
    let error = if result.is_some() { Value::Null } else { error };
    json!({ "id": request["id"], "result": result, "error": error })
}

fn output(chain: &[Block], request: &Value) -> Value {
    let (txid, vout) = (request["params"][0].as_str(), request["params"][1].as_u64());
    let mut transactions = chain.iter().flat_map(|block| &block.txdata);
    let transaction = transactions.find(|tx| Some(tx.compute_txid().to_string().as_str()) == txid);
    let vout = vout.and_then(|vout| usize::try_from(vout).ok());
    match transaction.zip(vout).and_then(|(transaction, vout)| transaction.output.get(vout)) {
        Some(output) => json!({
            "value": output.value.to_btc(),
            "scriptPubKey": { "hex": output.script_pubkey.to_hex_string() },
        }),
        None => Value::Null,
    }
}
