//! A program that is run to its end, with its output, and not longer than allowed.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use crate::wait::{Deadline, block_until};

/// Runs a command on this thread; gives its standard output, or in words why it failed.
pub(crate) fn run_to_end(mut command: Command, allowed: Duration) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    // Files, not pipes: a pipe that nobody reads fills up, and a grandchild could hold it open.
    let dir = tempfile::tempdir().map_err(|error| format!("{name}: no temporary directory: {error}"))?;
    let (out, err) = (dir.path().join("out"), dir.path().join("err"));
    let create = |path| File::create(path).map_err(|error| format!("{name}: {error}"));
    command.stdout(create(&out)?).stderr(create(&err)?);

    let mut child = super::spawn_when_free(|| command.spawn())
        .map_err(|error| format!("{name} could not be started: {error}"))?;
    let mut status = None;
    let ended = block_until(Deadline::after(allowed), || {
        status = child.try_wait().ok().flatten();
        status.is_some()
    });
    if !ended {
        // Best effort: if it cannot be killed it has just ended by itself.
        drop(child.kill());
        drop(child.wait());
        return Err(format!("{name} did not end within {allowed:?}"));
    }
    if status.is_some_and(|status| status.success()) {
        return std::fs::read(&out)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(|error| format!("{name}: {error}"));
    }
    let said = super::last_lines(&err, 3).join("; ");
    let status = status.map(|status| status.to_string()).unwrap_or_default();
    Err(format!("{name} ended with {status}: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::command;

    fn sh(script: &str, allowed: Duration) -> Result<String, String> {
        let mut sh = command("sh");
        sh.args(["-c", script]);
        run_to_end(sh, allowed)
    }

    #[test]
    fn output_of_a_success_and_words_of_a_failure() {
        let allowed = Duration::from_secs(20);
        assert_eq!(sh("echo yes; echo no >&2", allowed).unwrap(), "yes\n");
        assert_eq!(sh("echo why >&2; exit 3", allowed).unwrap_err(), "sh ended with exit status: 3: why");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = sh("exec sleep 1000", Duration::from_millis(30)).unwrap_err();
        assert_eq!(error, "sh did not end within 30ms");
    }
}
