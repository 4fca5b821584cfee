//! Messages on the wire, as a test has them.

use leyden::{Backend, Net};
use serde_json::json;
use std::time::{Duration, Instant};

/// How late a message comes.
const LATE: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_message_is_held_changed_lost_and_cut_at() {
    let net = Net::line(["l1", "l2"]).without_channels().backend(Backend::Embedded).start().await.unwrap();
    let [l1, l2] = net.nodes();
    let ping = || l1.rpc("ping", json!([l2.id()]));

    let held = l1.incoming("pong").unwrap().hold();
    let (pinged, ()) = tokio::join!(ping(), async {
        let pong = held.happened().await.unwrap();
        assert_eq!(pong[..2], 19_u16.to_be_bytes());
        held.release();
    });
    assert_eq!(pinged.unwrap(), json!({"totlen": 132}));

    let late = l1.incoming("pong").unwrap().delay(LATE);
    let asked = Instant::now();
    assert_eq!(ping().await.unwrap(), json!({"totlen": 132}));
    assert!(late.has_happened() && asked.elapsed() >= LATE);

    // A ping that asks for five bytes is answered with these, type and length.
    let small = l1.outgoing("ping").unwrap().replace(|_| vec![vec![0, 18, 0, 5, 0, 0]]);
    assert_eq!(ping().await.unwrap(), json!({"totlen": 9}));
    small.happened().await.unwrap();

    // The second from now; the one before it is as ever.
    let cut = l2.outgoing("pong").unwrap().nth(2).cut();
    assert_eq!(ping().await.unwrap(), json!({"totlen": 132}));
    assert!(!cut.has_happened());
    let (lost, seen) = tokio::join!(ping(), cut.happened());
    assert!(cut.has_happened());
    assert!(lost.is_err() && seen.is_ok(), "{lost:?}");
    l1.connect(&l2).await.unwrap();
    assert_eq!(ping().await.unwrap(), json!({"totlen": 132}));

    l2.outgoing("pong").unwrap().cut().disarm();
    assert_eq!(ping().await.unwrap(), json!({"totlen": 132}));
    net.finish().await.unwrap();
}

#[tokio::test]
async fn a_message_that_nobody_knows_is_a_mistake_of_the_test() {
    let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded).start().await.unwrap();
    let [l1] = net.nodes();
    let line = line!() + 1;
    let error = l1.outgoing("commitment_sined").err().expect("there is no such message");
    assert_eq!((error.fault(), error.location().line()), (leyden::Fault::Test, line), "{error}");
    net.finish().await.unwrap();
}
