//! The end of a test whose runner is gone: `kill -9` of `cargo test` kills cargo, but not the test binary.

use std::os::unix::process::parent_id;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::env::Settings;
use crate::wait::tick_until_dropped;

/// How often the parent is looked at.
const PACE: Duration = Duration::from_millis(100);

/// While it lives, the death of the runner ends this process at once; the watchdog then kills what it had started.
///
/// It watches only below cargo or nextest: a program started by hand may well outlive its shell.
#[derive(Debug)]
#[must_use = "the watch ends when this is dropped"]
pub struct ParentWatch {
    running: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl ParentWatch {
    /// Starts to watch, if the settings say that there is a runner.
    pub fn start(settings: &Settings) -> Self {
        let parent = parent_id();
        Self::start_with(settings.under_runner, move || {
            if parent_id() != parent {
                end_this_process();
            }
        })
    }

    fn start_with(watch: bool, look: impl FnMut() + Send + 'static) -> Self {
        let running = watch.then(|| {
            let (stop, stopped) = mpsc::channel();
            (stop, std::thread::spawn(move || tick_until_dropped(PACE, &stopped, look)))
        });
        Self { running }
    }
}

impl Drop for ParentWatch {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            // The thread cannot panic: it only compares two numbers.
            drop(thread.join());
        }
    }
}

/// No exit handlers, no destructors: they may wait for something that will never come.
fn end_this_process() {
    _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_while_it_lives_and_only_below_a_runner() {
        let (seen, looks) = mpsc::channel();
        let watch = ParentWatch::start_with(true, move || seen.send(()).unwrap_or_default());
        looks.recv_timeout(Duration::from_secs(20)).unwrap();
        drop(watch);
        assert!(looks.iter().count() < 1000, "the sender must be gone");

        let (seen, looks) = mpsc::channel();
        let watch = ParentWatch::start_with(false, move || seen.send(()).unwrap_or_default());
        assert_eq!(looks.recv(), Err(mpsc::RecvError), "no thread holds the sender");
        drop(watch);
    }
}
