//! The RPC socket: requests of any number and size.

use crate::running::RunningNode;
use serde_json::json;

/// The beginning of every request.
const HEAD: &str = r#"{"jsonrpc":"2.0","#;

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_a_connection_however_they_are_cut() {
    let node = RunningNode::start().await;
    let mut client = node.connect().await;
    let request = |id: usize| {
        let text = format!("ü{id}");
        format!(r#"{HEAD}"id":"{text}","method":"datastore","params":["k{id}","{text}"]}} "#)
    };
    let requests: String = (0..40).map(request).collect();
    for chunk in requests.as_bytes().chunks(7) {
        client.send(chunk).await;
    }
    for id in 0..40 {
        let answer = client.json().await;
        assert_eq!(answer["id"], format!("ü{id}"));
        assert_eq!(answer["result"]["string"], format!("ü{id}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_be_of_any_size() {
    let mut node = RunningNode::start().await;
    let long = "é".repeat(1_000_000);
    let stored = node.ok("datastore", json!({ "key": "long", "string": long })).await;
    assert_eq!(stored["string"], long);
    // Many braces, each of which could be the last one.
    let deep = json!({ "key": "k", "hex": "00", "mode": vec![json!({}); 200_000] });
    let (code, why) = node.error("datastore", deep).await;
    assert_eq!(code, -32602);
    assert!(why.starts_with("mode: should be 'must-create'"), "{}", &why[..80]);
}
