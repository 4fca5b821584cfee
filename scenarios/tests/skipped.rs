//! What cannot be played where. The scenarios themselves are played by the test `goldens` of `leyden-snapshots`.

use leyden::Backend;
use leyden_scenarios::scenarios;

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
