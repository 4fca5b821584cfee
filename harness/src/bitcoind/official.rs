//! The official release of Bitcoin Core, of one pinned version, checked by its SHA-256.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use bitcoin::hashes::{Hash, HashEngine, sha256};
use indicatif::ProgressBar;

use super::cache::Source;
use crate::process::{command, run_to_end};

const HOST: &str = "bitcoincore.org";

/// A machine without a way to the host must not wait long to learn it.
const CONNECT_TAKES: Duration = Duration::from_secs(4);

const DOWNLOAD_TAKES: Duration = Duration::from_secs(900);

/// The files and hashes stand in `SHA256SUMS` of the release, which its builders have signed.
const VERSION: &str = "31.1";

/// A release file for one kind of machine.
#[derive(Debug)]
pub(super) struct Release {
    target: &'static str,
    sha256: &'static str,
}

const RELEASES: [((&str, &str), Release); 4] = [
    (
        ("linux", "x86_64"),
        Release {
            target: "x86_64-linux-gnu",
            sha256: "b80d9c3e04da78fb6f0569685673418cf686fadba9042d926d13fb87ff503f9e",
        },
    ),
    (
        ("linux", "aarch64"),
        Release {
            target: "aarch64-linux-gnu",
            sha256: "dcf1873f2208ba4f962f3398d47e154c39c0084be8f4553e05c940d0ace3d004",
        },
    ),
    (
        ("macos", "x86_64"),
        Release {
            target: "x86_64-apple-darwin",
            sha256: "bc506958d0f387c1ea770bdc7c7192a505fa645ff62cabcc7761fa7eb89e867e",
        },
    ),
    (
        ("macos", "aarch64"),
        Release {
            target: "arm64-apple-darwin",
            sha256: "16a097c09fbd7eb78b240ce1dae123663ea2e5e377cfd6a951e71e227e23cf2f",
        },
    ),
];

impl Release {
    /// The one that runs here, if there is one.
    pub(super) fn for_this_machine() -> Option<Self> {
        let here = (std::env::consts::OS, std::env::consts::ARCH);
        RELEASES.into_iter().find(|(machine, _)| *machine == here).map(|(_, release)| release)
    }

    fn download(&self, file: &Path, progress: &ProgressBar) -> Result<(), String> {
        let url =
            format!("https://{HOST}/bin/bitcoin-core-{VERSION}/bitcoin-{VERSION}-{}.tar.gz", self.target);
        progress.set_message(format!("fetching Bitcoin Core {VERSION}"));
        check_reachable()?;
        let failed = |error: &dyn std::fmt::Display| format!("{url}: {error}");
        let mut response =
            bitreq::get(&url).with_timeout(DOWNLOAD_TAKES).send_lazy().map_err(|error| failed(&error))?;
        if response.status_code != 200 {
            return Err(failed(&format!("HTTP status {}", response.status_code)));
        }
        if let Some(bytes) = response.headers.get("content-length").and_then(|length| length.parse().ok()) {
            progress.set_length(bytes);
        }
        let mut output = std::fs::File::create(file).map_err(|error| failed(&error))?;
        let mut engine = sha256::Hash::engine();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = response.read(&mut buffer).map_err(|error| failed(&error))?;
            if read == 0 {
                break;
            }
            engine.input(&buffer[..read]);
            output.write_all(&buffer[..read]).map_err(|error| failed(&error))?;
            progress.inc(read as u64);
        }
        let hash = sha256::Hash::from_engine(engine).to_string();
        if hash == self.sha256 {
            Ok(())
        } else {
            Err(failed(&format!("its SHA-256 is {hash}, not {}", self.sha256)))
        }
    }
}

impl Source for Release {
    fn name(&self) -> &str {
        "bitcoin-core-31.1"
    }

    fn fetch(&self, into: &Path, progress: &ProgressBar) -> Result<(), String> {
        let archive = into.join("release.tar.gz");
        self.download(&archive, progress)?;
        progress.set_message("unpacking Bitcoin Core");
        let mut tar = command("tar");
        tar.arg("-xzf").arg(&archive).arg("-C").arg(into).arg("--strip-components=1");
        tar.args(["bitcoind", "bitcoin-cli"].map(|program| format!("bitcoin-{VERSION}/bin/{program}")));
        run_to_end(tar, Duration::from_secs(120))?;
        std::fs::remove_file(archive).map_err(|error| error.to_string())
    }
}

/// The HTTP client has one time-out for all, which a download needs to be long.
fn check_reachable() -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{HOST} cannot be reached: {error}");
    let mut last = std::io::ErrorKind::AddrNotAvailable.into();
    for address in (HOST, 443).to_socket_addrs().map_err(failed)? {
        match TcpStream::connect_timeout(&address, CONNECT_TAKES) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_knows_the_version() {
        let (_, release) = &RELEASES[0];
        assert_eq!(release.name(), format!("bitcoin-core-{VERSION}"));
    }
}
