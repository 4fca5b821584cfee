//! Waiting, with an end: the only module that may sleep.
//!
//! A wait says in words what it waits for, ends at its deadline, and ends at once when what it waits on has died.

use std::fmt::Debug;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior};

use crate::env::Settings;
use crate::error::{Error, Fault, Result};

/// The first pause between two looks; each further one is half as long again, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The moment at which a wait gives up.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    allowed: Duration,
    end: Instant,
}

impl Deadline {
    /// As long from now as the settings allow: `TIMEOUT` seconds, by default 60, and 180 with `SLOW_MACHINE`.
    pub fn standard(settings: &Settings) -> Self {
        Self::after(settings.timeout)
    }

    /// So long from now.
    pub fn after(allowed: Duration) -> Self {
        Self { allowed, end: Instant::now() + allowed }
    }

    /// What is left; zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Awaits a future, but not beyond the deadline.
    #[track_caller]
    pub fn limit<F: Future>(
        self,
        doing: impl Into<String>,
        future: F,
    ) -> impl Future<Output = Result<F::Output>> {
        let (doing, at) = (doing.into(), Location::caller());
        async move {
            let late = |_| {
                Error::node(doing).expected(format!("an end within {:?}", self.allowed)).came("it went on")
            };
            tokio::time::timeout(self.remaining(), future).await.map_err(|elapsed| late(elapsed).at(at))
        }
    }
}

/// What one look at the world can give to [`eventually`].
///
/// `true`, `Some(value)`, `Ok(..)` of these, `()` and [`Seen::Yes`] end the wait. `false`, `None` and [`Seen::NotYet`] go on, and so
/// does an `Err` unless it is [fatal](Error::fatal).
pub trait Look {
    /// What the wait gives when it has ended well.
    type Value;

    /// Whether this was it.
    fn judge(self) -> Verdict<Self::Value>;
}

/// What a look means for the wait.
#[derive(Debug)]
pub enum Verdict<T> {
    /// It has come.
    Done(T),
    /// Not yet; the text says what was seen.
    NotYet(String),
    /// It will never come.
    Never(Error),
}

/// A value that was seen, with the verdict on it; made by [`seen`].
#[derive(Debug)]
pub enum Seen<T> {
    /// The value is what was waited for.
    Yes(T),
    /// It is not; the text is the value, for the message.
    NotYet(String),
}

/// A look that remembers the value: when the wait fails, the message shows the last one.
///
/// ```
/// # async fn example(height: impl AsyncFn() -> u32) -> leyden::Result {
/// use leyden::{eventually, seen};
/// # let height = || async { 103 };
/// let reached = eventually("l1 sees block 103", || async { seen(height().await, |height| *height >= 103) }).await?;
/// # Ok(()) }
/// ```
pub fn seen<T: Debug>(value: T, is_it: impl FnOnce(&T) -> bool) -> Seen<T> {
    if is_it(&value) { Seen::Yes(value) } else { Seen::NotYet(format!("{value:?}")) }
}

impl<T> Look for Seen<T> {
    type Value = T;
    fn judge(self) -> Verdict<T> {
        match self {
            Seen::Yes(value) => Verdict::Done(value),
            Seen::NotYet(text) => Verdict::NotYet(text),
        }
    }
}

impl Look for bool {
    type Value = ();
    fn judge(self) -> Verdict<()> {
        if self { Verdict::Done(()) } else { Verdict::NotYet("false".into()) }
    }
}

impl Look for () {
    type Value = ();
    fn judge(self) -> Verdict<()> {
        Verdict::Done(())
    }
}

impl<T> Look for Option<T> {
    type Value = T;
    fn judge(self) -> Verdict<T> {
        self.map_or_else(|| Verdict::NotYet("None".into()), Verdict::Done)
    }
}

impl<L: Look> Look for Result<L> {
    type Value = L::Value;
    fn judge(self) -> Verdict<L::Value> {
        match self {
            Ok(look) => look.judge(),
            Err(error) if error.is_fatal() => Verdict::Never(error),
            Err(error) => Verdict::NotYet(error.headline()),
        }
    }
}

/// Looks again and again until it has come, with short pauses from 1 ms; gives what came.
///
/// It fails at the deadline (see [`Deadline::standard`]) with the description, the last thing seen and the author's line.
#[track_caller]
pub fn eventually<'a, F, Fut, L>(description: impl Into<String>, mut look: F) -> Eventually<'a, L::Value>
where
    F: FnMut() -> Fut + Send + 'a,
    Fut: Future<Output = L> + Send + 'a,
    L: Look,
{
    Eventually {
        description: description.into(),
        look: Box::new(move || {
            let found = look();
            Box::pin(async move { found.await.judge() })
        }),
        deadline: None,
        at: Location::caller(),
    }
}

/// A wait that has not begun; made by [`eventually`].
#[must_use = "a wait does nothing until it is awaited"]
pub struct Eventually<'a, T> {
    description: String,
    look: Box<dyn FnMut() -> BoxFuture<'a, Verdict<T>> + Send + 'a>,
    deadline: Option<Deadline>,
    at: &'static Location<'static>,
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<'a, T> Eventually<'a, T> {
    /// Gives up at this deadline rather than at the environment's.
    pub fn until(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Gives up so long after this call.
    pub fn within(self, allowed: Duration) -> Self {
        self.until(Deadline::after(allowed))
    }

    /// Blames this line rather than the caller of [`eventually`]: for verbs built on it.
    pub fn at(mut self, at: &'static Location<'static>) -> Self {
        self.at = at;
        self
    }

    async fn poll(self) -> Result<T> {
        let Self { description, mut look, deadline, at } = self;
        // A free function has no net to ask for its settings.
        let deadline = deadline.unwrap_or_else(|| Deadline::standard(&Settings::from_env()));
        let mut pause = FIRST_PAUSE;
        let mut last = String::from("nothing: it did not end");
        loop {
            // A look that hangs is cut off too, so that the deadline holds whatever the closure does.
            match tokio::time::timeout(deadline.remaining(), look()).await {
                Ok(Verdict::Done(value)) => return Ok(value),
                Ok(Verdict::Never(error)) => {
                    let never = Error::new(error.fault(), format!("waiting until {description}"));
                    return Err(never.came("that can no longer happen").because(error).at(at).fatal());
                }
                Ok(Verdict::NotYet(text)) => last = text,
                Err(_) => return Err(too_late(&description, &last, deadline).at(at)),
            }
            if deadline.has_passed() {
                return Err(too_late(&description, &last, deadline).at(at));
            }
            self::pause(pause.min(deadline.remaining())).await;
            pause = (pause + pause / 2).min(LONGEST_PAUSE);
        }
    }
}

impl<'a, T: Send + 'a> IntoFuture for Eventually<'a, T> {
    type Output = Result<T>;
    type IntoFuture = BoxFuture<'a, Result<T>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.poll())
    }
}

fn too_late(description: &str, last: &str, deadline: Deadline) -> Error {
    Error::new(Fault::Test, format!("waiting until {description}"))
        .expected(format!("it within {:?}", deadline.allowed))
        .came(format!("the last look saw {last}"))
        .advice("if the machine is slow, set SLOW_MACHINE=1 or TIMEOUT in seconds")
}

/// Sleeps: for what is late because a test wants it so.
#[expect(clippy::disallowed_methods, reason = "the one place that sleeps in a task")]
pub(crate) async fn pause(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// Ticks at a steady pace, at once for the first time; a late tick delays those behind it.
#[expect(clippy::disallowed_methods, reason = "the one place that makes a pace")]
pub(crate) fn every(pace: Duration) -> Interval {
    let mut ticks = tokio::time::interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Looks every few milliseconds on a thread of blocking work, such as a `Drop`; gives whether it came in time.
#[expect(clippy::disallowed_methods, reason = "the one place that sleeps on a thread")]
pub(crate) fn block_until(deadline: Deadline, mut has_come: impl FnMut() -> bool) -> bool {
    let mut pause = FIRST_PAUSE;
    while !has_come() {
        if deadline.has_passed() {
            return false;
        }
        std::thread::sleep(pause.min(deadline.remaining()));
        pause = (pause + pause / 2).min(LONGEST_PAUSE);
    }
    true
}

/// Calls `tick` at a steady pace on this thread until the other end of `stop` is dropped.
pub(crate) fn tick_until_dropped(pace: Duration, stop: &mpsc::Receiver<()>, mut tick: impl FnMut()) {
    while stop.recv_timeout(pace) == Err(mpsc::RecvTimeoutError::Timeout) {
        tick();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn the_value_is_given_when_it_comes() {
        let height = AtomicU32::new(100);
        let reached =
            eventually("block 103", || async { seen(height.fetch_add(1, Ordering::Relaxed), |h| *h >= 103) })
                .await;
        assert_eq!(reached.unwrap(), 103);
    }

    #[tokio::test]
    async fn an_async_closure_is_a_look_too() {
        let answer = Some(7);
        assert_eq!(eventually("an answer", async || answer).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_late_wait_says_what_where_and_what_was_seen_last() {
        let line = line!() + 1;
        let wait = eventually("l1 sees block 103", || async { seen(101, |height| *height >= 103) });
        let error = wait.within(Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(
            error.headline(),
            "waiting until l1 sees block 103: expected it within 20ms, but the last look saw 101"
        );
        assert_eq!((error.location().line(), error.location().file()), (line, file!()));
    }

    #[tokio::test]
    async fn a_fatal_error_ends_the_wait_at_once() {
        let dead = || async { Err::<bool, _>(Error::node("l1 died").fatal()) };
        let error = eventually("l1 answers", dead).within(Duration::from_secs(3600)).await.unwrap_err();
        assert_eq!(error.fault(), Fault::Node);
        assert!(error.to_string().contains("because: l1 died"), "{error}");
    }

    #[tokio::test]
    async fn another_error_is_looked_past_and_remembered() {
        let refused = || async { Err::<bool, _>(Error::node("connect: refused")) };
        let error = eventually("l1 answers", refused).within(Duration::from_millis(5)).await.unwrap_err();
        assert!(error.headline().ends_with("the last look saw connect: refused"), "{error}");
    }

    #[tokio::test]
    async fn a_look_that_hangs_does_not_outlive_the_deadline() {
        let hang = || std::future::pending::<bool>();
        let error = eventually("an end", hang).within(Duration::from_millis(5)).await.unwrap_err();
        assert!(error.headline().contains("did not end"), "{error}");
    }

    #[tokio::test]
    async fn a_future_is_cut_off_at_the_deadline() {
        let limit =
            Deadline::after(Duration::from_millis(5)).limit("stopping l1", std::future::pending::<()>());
        assert_eq!(
            limit.await.unwrap_err().headline(),
            "stopping l1: expected an end within 5ms, but it went on"
        );
    }
}
