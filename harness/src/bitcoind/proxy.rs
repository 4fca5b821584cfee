//! A stand-in between nodes and bitcoind, as pyln-testing has: it answers some RPCs itself, and passes the others on.
//!
//! Both speak HTTP/1.1 with lengths, which is all that is understood here.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::error::Result;

/// The blocks in which a transaction shall be mined, in the order in which lightningd asks for fees.
const TARGETS: [u64; 4] = [2, 6, 12, 100];

/// Answers in bitcoind's place: gives the result for these parameters, as JSON.
type Answer = Arc<dyn Fn(&Value) -> String + Send + Sync>;

/// The answers of a proxy. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Mocks {
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    failures: Arc<Mutex<Vec<Failure>>>,
}

/// An RPC that fails as long as `strikes` says so of its request.
struct Failure {
    method: String,
    error: Value,
    strikes: Box<dyn Fn(&str) -> bool + Send>,
}

impl Mocks {
    /// Answers an RPC from now on.
    pub(crate) fn mock(&self, method: &str, answer: impl Fn(&Value) -> String + Send + Sync + 'static) {
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(method.to_owned(), Arc::new(answer));
    }

    /// Estimates these fees, in sat per 1000 weight, for 2, 6, 12 and 100 blocks.
    pub(crate) fn estimate(&self, feerates_perkw: [u32; 4]) {
        self.mock("estimatesmartfee", move |params| {
            let blocks = params[0].as_u64().unwrap_or_default();
            let rates = TARGETS.into_iter().zip(feerates_perkw);
            let perkw =
                rates.rev().find(|(target, _)| *target <= blocks).map_or(feerates_perkw[0], |rate| rate.1);
            // lightningd wants all eight decimals of a bitcoin; 1000 weight are 250 vbytes.
            format!(r#"{{"feerate":{:.8},"blocks":{blocks}}}"#, f64::from(perkw) * 4.0 / 1e8)
        });
    }

    /// Lets an RPC fail.
    pub(crate) fn fail(
        &self,
        method: &str,
        code: i64,
        message: &str,
        strikes: impl Fn(&str) -> bool + Send + 'static,
    ) {
        let error = json!({"code": code, "message": message});
        let failure = Failure { method: method.to_owned(), error, strikes: Box::new(strikes) };
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }

    /// The HTTP status and the body of an answer.
    fn answer(&self, request: &Value) -> Option<(&'static str, String)> {
        let method = request["method"].as_str()?;
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failures = failures.iter().filter(|failure| failure.method == method);
        if let Some(failure) = failures.find(|failure| (failure.strikes)(&request.to_string())) {
            let body = json!({"result": null, "error": failure.error, "id": request["id"]});
            return Some(("500 Internal Server Error", body.to_string()));
        }
        let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(method).cloned()?;
        let result = answer(&request["params"]);
        Some(("200 OK", format!(r#"{{"result":{result},"error":null,"id":{}}}"#, request["id"])))
    }
}

/// Listens on a port of the system's choice, as long as the runtime lives on which it is called.
pub(crate) async fn serve(bitcoind: SocketAddr, mocks: Mocks) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let mocks = mocks.clone();
            // An error is the end of one side, which the other side is told by the end of its own connection.
            tokio::spawn(async move { drop(relay(client, bitcoind, &mocks).await) });
        }
    });
    Ok(address)
}

async fn relay(client: TcpStream, bitcoind: SocketAddr, mocks: &Mocks) -> std::io::Result<()> {
    let (mut client, mut server) = (BufReader::new(client), None);
    while let Some((head, body)) = read(&mut client).await? {
        let request: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some((status, answer)) = mocks.answer(&request) {
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            client.write_all((head + &answer).as_bytes()).await?;
        } else {
            let server = match &mut server {
                Some(server) => server,
                none => none.insert(BufReader::new(TcpStream::connect(bitcoind).await?)),
            };
            server.write_all(&[head.as_bytes(), &body].concat()).await?;
            let Some((head, body)) = read(server).await? else { break };
            client.write_all(&[head.as_bytes(), &body].concat()).await?;
        }
        if head.to_ascii_lowercase().contains("\r\nconnection: close") {
            break;
        }
    }
    Ok(())
}

/// One request or response: its head, with the empty line, and its body. `None` at the end.
async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some((head, body)))
}
