//! The one order of events, and waiting on it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use leyden::event::{Direction, EventKind};
use leyden::timeline::Timeline;
use leyden::{Deadline, Fault};
use leyden_node::event::{LogLevel, LogLine};
use regex::Regex;

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(5);

fn log(timeline: &Timeline, node: &str, text: &str) {
    let line = LogLine {
        time: SystemTime::UNIX_EPOCH,
        level: LogLevel::Info,
        source: "plugin-p".into(),
        text: text.into(),
    };
    timeline.record(Some(node), EventKind::Log(Arc::new(line)));
}

fn exit(timeline: &Timeline, node: &str) {
    let message = Some("no funds\n".to_owned());
    timeline.record(Some(node), EventKind::NodeExited { code: Some(1), message });
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

#[test]
fn events_of_many_threads_have_one_order() {
    let timeline = Timeline::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let timeline = timeline.clone();
            scope.spawn(move || {
                for step in 0..100 {
                    timeline.record(None, EventKind::Step(format!("{thread}.{step}")));
                }
            });
        }
    });
    let events = timeline.events();
    assert!(events.iter().map(|event| event.seq).eq(0..400));
    assert!(events.is_sorted_by_key(|event| event.at));
    assert_eq!(timeline.since(390).len(), 10);
    assert!(timeline.since(1000).is_empty());
}

#[tokio::test]
async fn a_wait_sees_the_past_from_its_place_on_and_no_earlier() {
    let timeline = Timeline::new();
    log(&timeline, "l1", "hello 1");
    log(&timeline, "l2", "hello 2");
    log(&timeline, "l1", "hello 3");
    let first = timeline.wait_for_log("l1", &regex("hello"), 0, Deadline::after(LONG)).await.unwrap();
    assert_eq!((first.seq, &*first.line.text), (0, "hello 1"));
    let next =
        timeline.wait_for_log("l1", &regex("hello"), first.seq + 1, Deadline::after(LONG)).await.unwrap();
    assert_eq!((next.seq, &*next.line.text), (2, "hello 3"));
}

#[tokio::test]
async fn a_wait_wakes_at_the_event() {
    let timeline = Timeline::new();
    let wait = timeline.wait_for_log("l1", &regex("INFO +plugin-p: now$"), 0, Deadline::after(LONG));
    let waiting = tokio::spawn(wait.into_future());
    tokio::task::yield_now().await;
    log(&timeline, "l1", "not now, later");
    log(&timeline, "l1", "now");
    assert_eq!(waiting.await.unwrap().unwrap().seq, 1);
}

#[tokio::test]
async fn a_wait_ends_when_its_node_dies() {
    let timeline = Timeline::new();
    let waiting =
        tokio::spawn(timeline.wait_for_log("l1", &regex("never"), 0, Deadline::after(LONG)).into_future());
    tokio::task::yield_now().await;
    exit(&timeline, "l2");
    log(&timeline, "l1", "the last words");
    exit(&timeline, "l1");
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.fault(), Fault::Node);
    assert_eq!(error.headline(), "waiting for l1 to log /never/: l1 exited with code 1: no funds");
    let text = error.to_string();
    assert!(text.contains("last lines of l1's log:") && text.contains("the last words"), "{text}");
}

#[tokio::test]
async fn the_exit_itself_and_what_came_before_it_can_be_waited_for() {
    let timeline = Timeline::new();
    log(&timeline, "l1", "bye");
    exit(&timeline, "l1");
    timeline.wait_for_log("l1", &regex("bye"), 0, Deadline::after(LONG)).await.unwrap();
    let exited = |event: &leyden::event::Event| {
        matches!(event.kind, EventKind::NodeExited { .. }).then_some(event.seq)
    };
    assert_eq!(
        timeline.wait_for("l1 to exit", Some("l1"), 0, Deadline::after(LONG), exited).await.unwrap(),
        1
    );
}

#[tokio::test]
async fn a_node_that_is_launched_again_is_not_dead() {
    let timeline = Timeline::new();
    exit(&timeline, "l1");
    timeline.record(Some("l1"), EventKind::NodeLaunched);
    let waiting =
        tokio::spawn(timeline.wait_for_log("l1", &regex("again"), 0, Deadline::after(LONG)).into_future());
    tokio::task::yield_now().await;
    log(&timeline, "l1", "here again");
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_late_wait_shows_its_nearest_misses_and_the_authors_line() {
    let timeline = Timeline::new();
    log(&timeline, "l1", "channel 103x1x0 opened by peer");
    log(&timeline, "l1", "nothing alike");
    let wanted = regex(r"channel \d+x1x0 closed by peer");
    let line = line!() + 1;
    let wait = timeline.wait_for_log("l1", &wanted, 0, Deadline::after(SHORT));
    let error = wait.await.unwrap_err();
    assert_eq!(error.fault(), Fault::Test);
    assert_eq!((error.location().file(), error.location().line()), (file!(), line));
    let text = error.to_string();
    let (_, misses) = text.split_once("nearest misses:").expect(&text);
    let (misses, last) = misses.split_once("last lines of l1's log:").expect(&text);
    assert!(misses.contains("opened by peer") && !misses.contains("nothing alike"), "{text}");
    assert!(last.contains("nothing alike"), "{text}");
}

#[tokio::test]
async fn a_frame_that_went_elsewhere_is_a_near_miss() {
    let timeline = Timeline::new();
    let frame = |plugin: &str, text: &str| EventKind::Frame {
        plugin: plugin.into(),
        direction: Direction::ToPlugin,
        text: text.into(),
    };
    timeline.record(Some("l1"), frame("p", r#"{"method":"connect"}"#));
    timeline.record(Some("l1"), frame("q", r#"{"method":"custommsg"}"#));
    let found = timeline.wait_for_frame("l1", "p", "connect", 0, Deadline::after(LONG)).await.unwrap();
    assert_eq!(found.seq, 0);
    let error = timeline.wait_for_frame("l1", "p", "custommsg", 0, Deadline::after(SHORT)).await.unwrap_err();
    let text = error.to_string();
    let nearest = text.find("lightningd -> q {\"method\":\"custommsg\"}").expect(&text);
    assert!(nearest < text.find("lightningd -> p {\"method\":\"connect\"}").expect(&text), "{text}");
    assert!(text.starts_with("waiting for l1's p to see a custommsg: expected it within"), "{text}");
}

#[tokio::test]
async fn a_stream_gives_each_event_once_and_the_whole_history() {
    let timeline = Timeline::new();
    log(&timeline, "l1", "before");
    let mut events = timeline.follow(SHORT);
    log(&timeline, "l1", "first");
    timeline.record(None, EventKind::Step("second".into()));
    assert_eq!(events.next().await.unwrap().seq, 1);
    assert_eq!(events.next().await.unwrap().seq, 2);
    assert_eq!(events.history().len(), 3);
    assert!(events.next().await.unwrap_err().headline().starts_with("waiting for any event"));
}
