//! Which scenarios a real lightningd plays here.

use leyden::env::Settings;
use leyden::{Backend, Profile};
use leyden_scenarios::Scenario;

/// Why a backend cannot play a scenario here so that goldens are compared, in words; `None` if it can.
pub fn skipped(scenario: &Scenario, backend: Backend) -> Option<String> {
    let settings = Settings::from_env();
    let lacks = backend.missing(&settings).or(scenario.skipped(backend).map(Into::into));
    lacks.or_else(|| match backend.version(&settings) {
        Ok(version) if version == Profile::V26_06.version() => None,
        Ok(version) => Some(format!("it is {version}, and the goldens are of {}", Profile::V26_06.version())),
        Err(error) => Some(error.to_string()),
    })
}
