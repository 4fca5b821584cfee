//! bitcoind's JSON-RPC over a connection that is kept.

use std::time::Duration;

use base64::Engine;
use bitreq::RequestExt;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// No RPC that a test calls takes longer; those that wait have a time-out of their own.
const LONGEST_CALL: Duration = Duration::from_secs(120);

/// Speaks to one bitcoind.
pub(super) struct Client {
    connections: bitreq::Client,
    url: String,
    authorization: String,
    credentials: (String, String),
}

impl Client {
    pub(super) fn new(port: u16, credentials: (String, String)) -> Self {
        let (user, password) = &credentials;
        let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        Self {
            connections: bitreq::Client::new(1),
            url: format!("http://127.0.0.1:{port}/"),
            authorization: format!("Basic {token}"),
            credentials,
        }
    }

    pub(super) fn credentials(&self) -> (&str, &str) {
        (&self.credentials.0, &self.credentials.1)
    }

    pub(super) async fn call(&self, method: String, params: Value) -> Result<Value> {
        let params = if params.is_null() { json!([]) } else { params };
        let request = json!({"jsonrpc": "1.0", "id": "leyden", "method": method, "params": params});
        let response = bitreq::post(&self.url)
            .with_header("Authorization", &self.authorization)
            .with_header("Content-Type", "application/json")
            .with_body(request.to_string())
            .with_timeout(LONGEST_CALL)
            .send_async_with_client(&self.connections)
            .await;
        let doing = || format!("bitcoind's RPC {method}");
        let response = response.map_err(|error| Error::node(doing()).came(error.to_string()))?;
        answer(response.as_bytes())
            .unwrap_or_else(|| {
                let text = String::from_utf8_lossy(response.as_bytes()).into_owned();
                Err(Answer::NotJson(format!("HTTP status {} {text:?}", response.status_code)))
            })
            .map_err(|error| match error {
                Answer::Error(code, message) => Error::test(doing())
                    .came(format!("bitcoind answered with the error {message:?}"))
                    .advice(format!("see the help of bitcoind for {method}"))
                    .with_code(code),
                Answer::NotJson(text) => Error::node(doing()).expected("a JSON-RPC answer").came(text),
            })
    }
}

/// An answer that is no result.
enum Answer {
    Error(i64, String),
    NotJson(String),
}

fn answer(body: &[u8]) -> Option<std::result::Result<Value, Answer>> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error").filter(|error| !error.is_null());
    if let Some(error) = error {
        let message = error["message"].as_str().unwrap_or_default();
        return Some(Err(Answer::Error(error["code"].as_i64()?, message.to_owned())));
    }
    Some(Ok(body.get_mut("result")?.take()))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}
