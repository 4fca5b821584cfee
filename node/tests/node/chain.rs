//! A chain of one block, regtest's first, behind bitcoind's JSON-RPC: what a node needs to start.

use bitcoin::Network;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::constants::genesis_block;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Serves the chain on a loopback port until the runtime ends.
pub(crate) async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("the socket is bound");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(answer(client));
        }
    });
    address
}

async fn answer(client: TcpStream) -> io::Result<()> {
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
        let reply = reply(&request).to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", reply.len());
        client.write_all(format!("{head}{reply}").as_bytes()).await?;
    }
}

fn reply(request: &Value) -> Value {
    let genesis = genesis_block(Network::Regtest);
    let result = match (request["method"].as_str(), &request["params"][0]) {
        (Some("getblockchaininfo"), _) => {
            json!({ "chain": "regtest", "headers": 0, "blocks": 0, "initialblockdownload": false })
        }
        (Some("getblockhash"), height) if *height == 0 => json!(genesis.block_hash().to_string()),
        (Some("getblock"), _) => json!(serialize_hex(&genesis)),
        _ => {
            let error = json!({ "code": -8, "message": "Block height out of range" });
            return json!({ "id": request["id"], "result": null, "error": error });
        }
    };
    json!({ "id": request["id"], "result": result, "error": null })
}
