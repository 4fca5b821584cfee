//! Python packages in Leyden's cache, installed once with the machine's own pip.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitcoin::hashes::{Hash, sha256};
use leyden::env::Settings;
use leyden::process::Launch;
use leyden::{Error, Result};

use crate::bench::Bench;

/// A slow network may need longer: what pip has fetched by then, it does not fetch again the next time.
const INSTALL_TAKES: Duration = Duration::from_secs(120);

const SHORT: Duration = Duration::from_secs(30);

/// A virtual environment that has what a file of requirements names.
pub(crate) struct Venv {
    dir: PathBuf,
}

impl Venv {
    /// The one in the cache, made now if there is none yet.
    ///
    /// # Errors
    /// In words, why this machine cannot have one.
    pub(crate) async fn with(
        requirements: &Path,
        settings: &Settings,
        bench: &Bench,
    ) -> std::result::Result<Self, String> {
        let cache =
            settings.cache_dir.as_ref().ok_or("there is no directory for a cache: HOME is not set")?;
        let python = Launch::new("python3", "python3", bench.dir())
            .args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
        let version = bench
            .run("asking for Python", python, SHORT)
            .await
            .map_err(|error| format!("there is no Python: {}", error.headline()))?;
        let place = || -> Result<(PathBuf, File)> {
            let text = std::fs::read(requirements)?;
            let digest = sha256::Hash::hash(&[version.as_bytes(), &text].concat()).to_string();
            let name = format!("{}-{}", version.trim(), &digest[..12]);
            let dir = cache.join("python").join(&name);
            std::fs::create_dir_all(&dir)?;
            // Released when it is closed, by whatever ends this process.
            let lock = File::create(dir.with_file_name(name + ".lock"))?;
            lock.lock()?;
            Ok((dir, lock))
        };
        let (dir, _lock) = place().map_err(|error| error.to_string())?;
        let venv = Self { dir };
        if venv.complete().exists() {
            return Ok(venv);
        }
        venv.fill(requirements, bench)
            .await
            .map_err(|error| format!("what {} names cannot be installed: {error}", requirements.display()))?;
        Ok(venv)
    }

    /// Its programs.
    pub(crate) fn bin(&self) -> PathBuf {
        self.dir.join("bin")
    }

    /// A file that is there once everything else is.
    fn complete(&self) -> PathBuf {
        self.dir.join("complete")
    }

    async fn fill(&self, requirements: &Path, bench: &Bench) -> Result {
        std::fs::remove_dir_all(&self.dir)?;
        let make = Launch::new("venv", "python3", bench.dir()).args(["-m", "venv"]).arg(&self.dir);
        bench.run("making a virtual environment", make, INSTALL_TAKES).await?;
        let pip = Launch::new("pip", self.bin().join("python"), bench.dir())
            .args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-r"])
            .arg(requirements);
        bench.run("installing packages with pip", pip, INSTALL_TAKES).await?;
        File::create(self.complete()).map(drop).map_err(Error::from)
    }
}
