//! Using what is deprecated (`lightningd/lightningd.c:lightningd_deprecated_in_ok`).

use crate::event::LogLevel;
use crate::state::State;
use leyden_protocol::deprecation::{Deprecated, Standing};

impl State {
    /// Whether `feature`, such as `<plugin>.--<option>`, may be used, and what the log says about it.
    /// `ok` is whether deprecated things are allowed here, by `--allow-deprecated-apis` for example.
    pub(crate) fn deprecated_ok(
        &mut self,
        source: &str,
        feature: &str,
        deprecated: &Deprecated,
        ok: bool,
    ) -> bool {
        let standing = deprecated.standing(self.profile);
        let allowed = match standing {
            Standing::Fine => true,
            Standing::Deprecated | Standing::Complained => ok,
            Standing::Begged => self.config.begged.iter().any(|begged| begged == feature),
        };
        if !allowed {
            self.log(LogLevel::Debug, source, &format!("Note: disallowing deprecated {feature}"));
        } else if standing == Standing::Complained {
            self.log(LogLevel::Broken, source, &format!("DEPRECATED API USED {feature} "));
        }
        allowed
    }
}
