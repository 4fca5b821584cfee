//! Methods of a plugin, called over the node's socket.

use leyden::event::Direction;
use leyden::{Mock, Net, Reply, Result};
use serde_json::Value;

use crate::scenario::Scenario;
use crate::socket;

/// Numbers, escapes and white space that a parser would not give back as they were.
const ODD: &str =
    r#"{"b" : 1.000, "a":  1e3, "text":"\u00e9\/", "big": 123456789012345678901234567890 , "none":null}"#;

pub(crate) fn pass_through() -> Scenario {
    let net = || {
        let error = r#"{"code":-7, "message" : "no\u0020such","data":{"x":1.50}}"#;
        let echo = Mock::method("odd")
            .usage("[anything]")
            .reply(Reply::raw(format!(r#"{{"jsonrpc":"2.0","id":%ID%,"result":{ODD}}}"#)))
            .and(
                Mock::method("wrong")
                    .reply(Reply::raw(format!(r#"{{"jsonrpc":"2.0","id":%ID%,"error":{error}}}"#))),
            );
        Net::builder().nodes(["l1"]).mount("l1", echo.named("oddity"))
    };
    Scenario::new(
        "parameters, results and errors pass a node byte for byte, and every caller gets its own id back",
        net,
        |net| Box::pin(pass(net)),
    )
    .golden("l1", "oddity")
}

async fn pass(net: &Net) -> Result {
    let [l1] = net.nodes();
    for id in [r#""a/b#1 ""#, "77", r#""""#] {
        let request = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"odd","params":{ODD}}}"#);
        let answer = socket::ask(&l1, &request).await?;
        assert!(answer.contains(ODD), "the result must not change: {answer}");
        let expected: Value = serde_json::from_str(id)?;
        assert_eq!(serde_json::from_str::<Value>(&answer)?["id"], expected);
    }
    let request = r#"{"jsonrpc":"2.0","id":"x","method":"wrong","params":[]}"#;
    let answer = socket::ask(&l1, request).await?;
    assert!(answer.contains(r#"{"code":-7, "message" : "no\u0020such","data":{"x":1.50}}"#), "{answer}");

    let transcript = l1.transcript("oddity").only(["odd"]).direction(Direction::ToPlugin);
    let asked: Vec<&str> = transcript.frames().iter().filter_map(|frame| frame.envelope()?.params).collect();
    assert_eq!(asked, [ODD; 3]);
    Ok(())
}
