//! Nets of nodes with plugins and mocks, on every backend that this machine has.

mod backup;
mod channels;
mod checks;
mod crash;
mod life;
mod plugins;
mod wire;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use leyden::env::Settings;
use leyden::{Backend, Result};

/// Runs a test body on each backend; says why one is left out.
#[expect(clippy::print_stdout, reason = "a reader of the output must see what was not tested")]
async fn on_each_backend(body: impl AsyncFn(Backend) -> Result) {
    for backend in [Backend::Embedded, Backend::Lightningd] {
        match backend.missing(&Settings::from_env()) {
            Some(reason) => println!("skipped on {backend}: {reason}"),
            None => body(backend).await.unwrap_or_else(|error| panic!("on {backend}: {error}")),
        }
    }
}

/// A plugin of twenty lines of shell: an option `greeting`, a method `greet`, and it writes down its process id.
struct ShellPlugin {
    dir: tempfile::TempDir,
}

impl ShellPlugin {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("greeter.sh"), include_str!("greeter.sh")).unwrap();
        std::fs::set_permissions(dir.path().join("greeter.sh"), PermissionsExt::from_mode(0o755)).unwrap();
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("greeter.sh")
    }

    /// The process id that the plugin itself saw.
    fn pid(&self) -> u32 {
        std::fs::read_to_string(self.dir.path().join("pid")).unwrap().trim().parse().unwrap()
    }
}
