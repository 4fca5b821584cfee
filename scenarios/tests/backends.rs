//! Every scenario on every backend that this machine has.
//!
//! `cargo test -p leyden-scenarios --test backends lightningd::` runs those on a real lightningd: `LIGHTNINGD_EXE`, or `lightningd` on PATH.

use leyden::Backend;
use leyden::env::Settings;
use leyden_scenarios::{every_scenario, scenario, scenarios};

async fn play(name: &str, backend: Backend) {
    let scenario = scenario(name);
    if let Some(because) =
        backend.missing(&Settings::from_env()).or(scenario.skipped(backend).map(Into::into))
    {
        return println!("skipped {name} on {backend}, because {because}");
    }
    scenario.play(backend).await.unwrap_or_else(|error| panic!("{name} on {backend}: {error}"));
}

macro_rules! tests {
    ($($subject:ident: $($name:ident)+;)+) => {
        mod embedded {
            $($(#[tokio::test] async fn $name() { super::play(stringify!($name), super::Backend::Embedded).await })+)+
        }
        mod lightningd {
            $($(#[tokio::test] async fn $name() { super::play(stringify!($name), super::Backend::Lightningd).await })+)+
        }
    };
}
every_scenario!(tests);

#[test]
fn what_a_backend_cannot_play_is_listed_with_the_reason() {
    let mut skipped = String::new();
    for scenario in scenarios() {
        for backend in [Backend::Embedded, Backend::Lightningd] {
            if let Some(because) = scenario.skipped(backend) {
                skipped.push_str(&format!("{} on {backend}: {because}\n", scenario.name));
            }
        }
    }
    assert_eq!(skipped, include_str!("skipped.txt"), "skipped.txt must say what is skipped, and why");
}
