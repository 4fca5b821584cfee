//! The recorder on a plugin's stdio.

use std::sync::Arc;

use leyden::event::{Direction, Event, EventKind};
use leyden::tap::{Tap, TappedStdin, TappedStdout};
use leyden::timeline::Timeline;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A tapped pair of pipes with the plugin's ends of them.
struct Pipes {
    timeline: Timeline,
    stdin: TappedStdin<DuplexStream>,
    stdout: TappedStdout<DuplexStream>,
    plugin_in: DuplexStream,
    plugin_out: DuplexStream,
}

fn pipes(capacity: usize) -> Pipes {
    let timeline = Timeline::new();
    let (stdin, plugin_in) = duplex(capacity);
    let (plugin_out, stdout) = duplex(capacity);
    let (stdin, stdout) = Tap::new(&timeline, "l1", "p").wrap(stdin, stdout);
    Pipes { timeline, stdin, stdout, plugin_in, plugin_out }
}

/// `> frame`, `< frame`, `! bytes`, `gone`.
fn notes(timeline: &Timeline) -> Vec<String> {
    timeline.events().into_iter().map(|event| note(&event)).collect()
}

fn note(event: &Arc<Event>) -> String {
    assert_eq!(event.node.as_deref(), Some("l1"));
    match &event.kind {
        EventKind::Frame { direction: Direction::ToPlugin, text, .. } => format!("> {text}"),
        EventKind::Frame { direction: Direction::FromPlugin, text, .. } => format!("< {text}"),
        EventKind::Garbage { bytes, .. } => format!("! {}", bytes.escape_ascii()),
        EventKind::PluginGone { .. } => "gone".into(),
        other => panic!("a tap does not record {other}"),
    }
}

#[tokio::test]
async fn both_directions_are_recorded_in_order_and_unchanged() {
    let Pipes { timeline, mut stdin, mut stdout, mut plugin_in, mut plugin_out } = pipes(1024);
    let mut buffer = [0; 64];
    for number in 0..20 {
        let request = format!("{{ \"id\": {number} }}\n\n");
        stdin.write_all(request.as_bytes()).await.unwrap();
        let read = plugin_in.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..read], request.as_bytes());
        plugin_out.write_all(request.trim().as_bytes()).await.unwrap();
        let read = stdout.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..read], request.trim().as_bytes());
    }
    let expected: Vec<String> = (0..20)
        .flat_map(|number| [format!("> {{ \"id\": {number} }}"), format!("< {{ \"id\": {number} }}")])
        .collect();
    assert_eq!(notes(&timeline), expected);
}

#[tokio::test]
async fn a_frame_is_recorded_before_the_plugin_can_see_it() {
    // The pipe takes one byte at a time, so the plugin has nearly all of the frame when it is offered again.
    let Pipes { timeline, mut stdin, mut plugin_in, stdout: _stdout, .. } = pipes(1);
    let writing = tokio::spawn(async move { stdin.write_all(b"{\"a\":1}{\"b\":2}").await });
    assert_eq!(plugin_in.read_u8().await.unwrap(), b'{');
    assert_eq!(notes(&timeline), ["> {\"a\":1}", "> {\"b\":2}"]);
    let mut rest = [0; 13];
    plugin_in.read_exact(&mut rest).await.unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(notes(&timeline).len(), 2, "recorded once, however often the bytes were offered");
}

#[tokio::test]
async fn half_a_frame_of_a_plugin_that_died_is_kept() {
    let Pipes { timeline, mut stdout, mut plugin_out, .. } = pipes(64);
    plugin_out.write_all(b"{\"a\":1}\n{\"half").await.unwrap();
    drop(plugin_out);
    let mut read = Vec::new();
    stdout.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"{\"a\":1}\n{\"half");
    assert_eq!(notes(&timeline), ["< {\"a\":1}", "! \\n{\\\"half", "gone"]);
}

#[tokio::test]
async fn a_node_that_lets_go_of_a_plugin_ends_the_record_too() {
    let Pipes { timeline, mut stdout, mut plugin_out, .. } = pipes(64);
    plugin_out.write_all(b"{\"half").await.unwrap();
    stdout.read_exact(&mut [0; 3]).await.unwrap();
    drop(stdout);
    assert_eq!(notes(&timeline), ["! {\\\"h", "gone"]);
}

#[tokio::test]
async fn everything_behind_garbage_is_garbage() {
    let Pipes { timeline, mut stdout, mut plugin_out, .. } = pipes(64);
    plugin_out.write_all(b"oops {}").await.unwrap();
    let mut buffer = [0; 64];
    assert_eq!(stdout.read(&mut buffer).await.unwrap(), 7);
    plugin_out.write_all(b"{}").await.unwrap();
    assert_eq!(stdout.read(&mut buffer).await.unwrap(), 2);
    drop(plugin_out);
    assert_eq!(stdout.read(&mut buffer).await.unwrap(), 0);
    assert_eq!(stdout.read(&mut buffer).await.unwrap(), 0);
    assert_eq!(notes(&timeline), ["! oops {}", "! {}", "gone"]);
}

proptest! {
    #[test]
    fn no_byte_is_changed_or_lost(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..10),
        capacity in 1_usize..40,
    ) {
        let sent = chunks.concat();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (arrived, recorded) = runtime.block_on(async move {
            let Pipes { timeline, mut stdin, mut plugin_in, stdout, .. } = pipes(capacity);
            let writing = async move {
                for chunk in chunks {
                    stdin.write_all(&chunk).await.unwrap();
                }
            };
            let mut arrived = Vec::new();
            let (read, ()) = tokio::join!(plugin_in.read_to_end(&mut arrived), writing);
            read.unwrap();
            drop(stdout);
            (arrived, timeline.events())
        });
        prop_assert_eq!(&arrived, &sent);
        // All bytes are in the record as well, but for the space between frames and what the reader had not cut.
        let mut rest = &sent[..];
        for event in &recorded {
            let bytes = match &event.kind {
                EventKind::Frame { text, .. } => text.as_bytes(),
                EventKind::Garbage { bytes, .. } => bytes,
                _ => continue,
            };
            let start = rest.windows(bytes.len().max(1)).position(|window| window == bytes);
            prop_assert!(start.is_some_and(|start| rest[..start].trim_ascii().is_empty()));
            rest = &rest[start.unwrap() + bytes.len()..];
        }
        prop_assert!(rest.trim_ascii().is_empty(), "lost: {:?}", rest);
    }
}
