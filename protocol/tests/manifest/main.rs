//! What a node makes of a manifest: what a plugin writes is what it reads, and what it refuses it refuses in
//! lightningd's words, the first wrong member first.

mod refusals;
mod round_trips;

use leyden_protocol::deprecation::{Deprecated, Standing};
use leyden_protocol::manifest::{FeatureBits, Manifest, Refusal, Registry};
use leyden_protocol::profile::Profile;

/// A node that has a little of everything.
struct Node {
    profile: Profile,
    starting: bool,
    deprecated_ok: bool,
}

impl Registry for Node {
    fn profile(&self) -> Profile {
        self.profile
    }

    fn is_starting(&self) -> bool {
        self.starting
    }

    fn deprecated_ok(&self) -> bool {
        self.deprecated_ok
    }

    fn path(&self) -> String {
        "/it".to_owned()
    }

    fn has_option(&self, name: &str) -> bool {
        name == "network"
    }

    fn method_owner(&self, name: &str) -> Option<String> {
        (name == "hello").then(|| "plugin /other".to_owned())
    }

    fn offers_any(&self, features: &FeatureBits) -> bool {
        features.init.as_deref() == Some("02")
    }

    fn allows_option(&mut self, _: &str, deprecated: &Deprecated) -> bool {
        deprecated.standing(self.profile) == Standing::Fine || self.deprecated_ok
    }
}

fn response(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"cln:getmanifest#0","result":{result}}}"#)
}

fn read(profile: Profile, result: &str) -> Result<Manifest, Refusal> {
    Manifest::parse(&response(result), &mut Node { profile, starting: false, deprecated_ok: false })
}
