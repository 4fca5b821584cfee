//! Debian's package of Bitcoin Knots, for machines that reach a mirror of Debian and nothing else.
//!
//! `apt-get` is run with directories of our own, as whatever user this is: nothing is installed. The package and the libraries it
//! needs are unpacked side by side and run with their own loader, so that the machine's libraries do not matter. The mirror is the
//! one that the machine is configured for, and apt checks its signatures as always.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;

use super::cache::Source;
use crate::process::{command, run_to_end};

const PACKAGE: &str = "bitcoin-knots";

/// Suites that may carry the package, the newest first. A mirror's copy may be out of date, which apt refuses: then the next is
/// tried. The names are aliases that every mirror has.
const SUITES: [&[&str]; 4] =
    [&["sid"], &["testing"], &["stable", "stable-backports"], &["oldstable", "oldstable-backports"]];

/// Needed to install the package, not to run it.
const NOT_TO_RUN: [&str; 5] = ["debconf", "debconf-2.0", "cdebconf", "systemd", "opensysusers"];

/// Keys of Debian's archive, under the names that releases gave them.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

const UPDATE_TAKES: Duration = Duration::from_secs(90);
const DOWNLOAD_TAKES: Duration = Duration::from_secs(300);
const LOCAL_TAKES: Duration = Duration::from_secs(60);

/// The package, from the first mirror and suite that give it.
#[derive(Debug)]
pub(super) struct Knots;

impl Source for Knots {
    fn name(&self) -> &str {
        "debian-bitcoin-knots"
    }

    fn fetch(&self, into: &Path, progress: &ProgressBar) -> Result<(), String> {
        let mirrors = mirrors()?;
        let apt_dir = into.join("apt");
        let mut failures = String::new();
        for mirror in &mirrors {
            for suites in SUITES {
                progress
                    .set_message(format!("asking apt for {PACKAGE} in Debian's {}", suites.join(" and ")));
                progress.tick();
                let unpacked = Apt::new(&apt_dir, mirror, suites)
                    .and_then(|apt| apt.unpack(&into.join("files"), progress));
                std::fs::remove_dir_all(&apt_dir).map_err(|error| error.to_string())?;
                match unpacked {
                    Ok(()) => return write_starters(into),
                    Err(why) => _ = write!(failures, "\n{} of {mirror}: {why}", suites.join(" and ")),
                }
            }
        }
        Err(format!("apt gave no {PACKAGE}:{failures}"))
    }
}

/// apt with lists and archives of our own, for one mirror and a few of its suites.
struct Apt<'a> {
    dir: &'a Path,
}

impl<'a> Apt<'a> {
    fn new(dir: &'a Path, mirror: &str, suites: &[&str]) -> Result<Self, String> {
        let write =
            |name: &str, text: &str| std::fs::write(dir.join(name), text).map_err(|error| error.to_string());
        for sub_dir in ["lists/partial", "archives/partial", "parts", "debs"] {
            std::fs::create_dir_all(dir.join(sub_dir)).map_err(|error| error.to_string())?;
        }
        write("status", "")?;
        write("sources.list", &sources(mirror, suites))?;
        write("apt.conf", &configuration(dir))?;
        let apt = Self { dir };
        apt.run("apt-get", &["-q", "update"], UPDATE_TAKES)?;
        Ok(apt)
    }

    /// Runs a tool of apt in the directory for packages.
    fn run(&self, tool: &str, args: &[&str], allowed: Duration) -> Result<String, String> {
        let mut tool = command(tool);
        tool.args(args)
            .env("APT_CONFIG", self.dir.join("apt.conf"))
            .env("LC_ALL", "C")
            .current_dir(self.dir.join("debs"));
        run_to_end(tool, allowed)
    }

    fn unpack(&self, root: &Path, progress: &ProgressBar) -> Result<(), String> {
        let closure = ["depends", "--recurse", "--important", PACKAGE];
        let packages = packages_to_run(&self.run("apt-cache", &closure, LOCAL_TAKES)?);
        progress.set_message(format!("fetching {} packages for {PACKAGE}", packages.len()));
        progress.tick();
        let mut download = vec!["-q", "download"];
        download.extend(packages.iter().map(String::as_str));
        self.run("apt-get", &download, DOWNLOAD_TAKES)?;
        let debs = std::fs::read_dir(self.dir.join("debs")).map_err(|error| error.to_string())?;
        for deb in debs.flatten() {
            let mut dpkg = command("dpkg-deb");
            dpkg.arg("-x").arg(deb.path()).arg(root);
            run_to_end(dpkg, LOCAL_TAKES)?;
        }
        Ok(())
    }
}

fn sources(mirror: &str, suites: &[&str]) -> String {
    let keyring = KEYRINGS.iter().find(|keyring| Path::new(keyring).exists());
    let signed_by = keyring.map(|keyring| format!("[signed-by={keyring}] ")).unwrap_or_default();
    suites.iter().map(|suite| format!("deb {signed_by}{mirror} {suite} main\n")).collect()
}

/// On top of the machine's own configuration, which may hold a proxy.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    let user = if rustix::process::geteuid().is_root() { "APT::Sandbox::User \"root\";\n" } else { "" };
    format!(
        "Dir::State \"{dir}\";\nDir::State::lists \"{dir}/lists\";\nDir::State::status \"{dir}/status\";\n\
         Dir::Cache \"{dir}\";\nDir::Cache::archives \"{dir}/archives\";\n\
         Dir::Etc::sourcelist \"{dir}/sources.list\";\nDir::Etc::sourceparts \"{dir}/parts\";\n\
         Dir::Etc::preferences \"{dir}/no-preferences\";\nDir::Etc::preferencesparts \"{dir}/parts\";\n\
         Acquire::Languages \"none\";\nAcquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
         Acquire::Retries \"0\";\nAcquire::http::Timeout \"5\";\nAcquire::https::Timeout \"5\";\n\
         APT::Update::Error-Mode \"any\";\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n{user}"
    )
}

/// The mirrors of Debian that this machine is configured for.
fn mirrors() -> Result<Vec<String>, String> {
    let mut targets = command("apt-get");
    targets.args(["indextargets", "--format", "$(CREATED_BY)|$(LABEL)|$(REPO_URI)"]).env("LC_ALL", "C");
    let mut mirrors: Vec<String> = Vec::new();
    let known = mirrors_of_targets(&run_to_end(targets, LOCAL_TAKES)?);
    // Without package lists, as in many container images, apt does not tell: then its sources do.
    let configured = source_files().into_iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let all = known.into_iter().chain(configured.flat_map(|text| mirrors_of_sources(&text)));
    for mirror in all.map(|mirror| mirror.trim_end_matches('/').to_owned()) {
        if !mirrors.contains(&mirror) {
            mirrors.push(mirror);
        }
    }
    if mirrors.is_empty() { Err("apt is configured for no mirror of Debian".into()) } else { Ok(mirrors) }
}

fn mirrors_of_targets(targets: &str) -> Vec<String> {
    targets.lines().filter_map(|line| line.strip_prefix("Packages|Debian|")).map(str::to_owned).collect()
}

fn source_files() -> Vec<PathBuf> {
    let parts = std::fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut files: Vec<PathBuf> = parts.collect();
    files.sort();
    files.insert(0, "/etc/apt/sources.list".into());
    files
}

/// Addresses that end as those of Debian's main archive do, from files of both formats (sources.list(5)).
fn mirrors_of_sources(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"));
    let words = lines.flat_map(str::split_whitespace);
    words
        .filter(|word| word.contains("://") && word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
        .collect()
}

/// From the output of `apt-cache depends --recurse`, the packages that are needed to run the program.
fn packages_to_run(depends: &str) -> BTreeSet<String> {
    let mut graph: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = "";
    for line in depends.lines() {
        match line.trim_start().trim_start_matches('|').split_once(": ") {
            Some(("Depends" | "PreDepends", needed)) => graph.entry(current).or_default().push(needed),
            Some(_) => {}
            // A package's own line is not indented; an indented one names what provides a virtual package.
            None if !line.starts_with(' ') => current = line,
            None => {}
        }
    }
    let mut wanted = BTreeSet::from([PACKAGE.to_owned()]);
    let mut open = vec![PACKAGE];
    while let Some(package) = open.pop() {
        for needed in graph.get(package).into_iter().flatten() {
            let virtual_package = needed.starts_with('<');
            let skip = NOT_TO_RUN.contains(needed) || needed.starts_with("systemd-") || virtual_package;
            if !skip && wanted.insert((*needed).to_owned()) {
                open.push(needed);
            }
        }
    }
    wanted
}

/// Scripts that run the unpacked programs with the unpacked loader and libraries, wherever the directory lies.
fn write_starters(dir: &Path) -> Result<(), String> {
    let loader = find_loader(&dir.join("files")).ok_or("no loader `ld-linux*` among the unpacked files")?;
    let loader = loader.strip_prefix(dir).map_err(|error| error.to_string())?;
    let triplet = loader.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    std::fs::create_dir_all(dir.join("bin")).map_err(|error| error.to_string())?;
    for program in ["bitcoind", "bitcoin-cli"] {
        let script = format!(
            "#!/bin/sh\ntop=${{0%/*}}/..\nexec \"$top/{}\" --library-path \"$top/files/usr/lib/{triplet}:$top/files/lib/{triplet}\" \
             \"$top/files/usr/bin/{program}\" \"$@\"\n",
            loader.display()
        );
        let file = dir.join("bin").join(program);
        std::fs::write(&file, script).map_err(|error| error.to_string())?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The loader in `lib/TRIPLET`, of the root or of its `usr`.
fn find_loader(root: &Path) -> Option<PathBuf> {
    let libs = ["usr/lib", "lib"].map(|lib| root.join(lib));
    let triplets = libs.iter().flat_map(|lib| std::fs::read_dir(lib).into_iter().flatten().flatten());
    let files =
        triplets.flat_map(|triplet| std::fs::read_dir(triplet.path()).into_iter().flatten().flatten());
    files.map(|file| file.path()).find(|file| {
        file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux")) && file.is_file()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_an_installation_needs_is_left_out() {
        let depends = "bitcoin-knots\n  Depends: debconf\n |Depends: systemd\n  Depends: <systemd-sysusers>\n    systemd\n  \
                       Depends: libzmq5\n  Suggests: doc\nlibzmq5\n  Depends: libc6\ndebconf\n  Depends: perl\nlibc6\n  \
                       PreDepends: libgcc-s1\n";
        let packages: Vec<_> = packages_to_run(depends).into_iter().collect();
        assert_eq!(packages, ["bitcoin-knots", "libc6", "libgcc-s1", "libzmq5"]);
    }

    #[test]
    fn mirrors_are_read_from_lists_and_from_both_formats_of_sources() {
        let targets = "Packages|Debian|http://a.example/debian/\nDEP-11|Debian|http://a.example/debian/\n\
                       Packages|Debian-Security|http://a.example/debian-security/\nPackages|Other|http://b.example/\n";
        assert_eq!(mirrors_of_targets(targets), ["http://a.example/debian/"]);
        let one_line =
            "# deb http://no.example/debian x main\ndeb [arch=amd64] http://c.example/debian bookworm main\n";
        assert_eq!(mirrors_of_sources(one_line), ["http://c.example/debian"]);
        let stanza = "Types: deb\nURIs: https://d.example/pub/debian/\nSuites: x\n\nURIs: http://d.example/debian-security\n";
        assert_eq!(mirrors_of_sources(stanza), ["https://d.example/pub/debian/"]);
    }

    #[test]
    fn the_starter_finds_its_files_wherever_the_directory_is() {
        let dir = tempfile::tempdir().unwrap();
        let libs = dir.path().join("a/files/usr/lib/x86_64-linux-gnu");
        std::fs::create_dir_all(&libs).unwrap();
        let loader = libs.join("ld-linux-x86-64.so.2");
        std::fs::write(&loader, "#!/bin/sh\necho \"$@\"\n").unwrap();
        std::fs::set_permissions(&loader, std::fs::Permissions::from_mode(0o755)).unwrap();
        write_starters(&dir.path().join("a")).unwrap();
        std::fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
        let mut starter = command(dir.path().join("b/bin/bitcoind"));
        starter.arg("-regtest");
        let said = run_to_end(starter, LOCAL_TAKES).unwrap();
        assert!(said.starts_with("--library-path "), "{said}");
        assert!(said.ends_with("/files/usr/bin/bitcoind -regtest\n"), "{said}");
    }
}
