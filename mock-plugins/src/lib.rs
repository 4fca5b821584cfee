//! Mock plugins: real plugins on the wire whose behaviour is scripted.
//!
//! A mock is a sentence about what will be asked and what is answered. It is served over any pair of byte
//! streams, again after each restart of the node, and says at the end what was promised and did not come.
//!
//! ```
//! use leyden_mock_plugins::{Call, Mock, MockPlugin, Reply, matching};
//! use serde_json::json;
//!
//! let greeter = Mock::method("hello")
//!     .usage("[name]")
//!     .reply(|call: &Call| Reply::result(json!({"hi": call.argument(0, "name")})))
//!     .expect(1..=3)
//!     .and(Mock::hook("peer_connected").when(matching::nth(2)).reply(Reply::result(json!({"result": "disconnect"}))))
//!     .and(Mock::notification("connect").expect(2))
//!     .named("greeter");
//! let plugin = MockPlugin::new(greeter);
//! // Hand a clone to whatever runs plugins: `plugin.clone().serve(stdin, stdout).await`
//! let unmet = plugin.verify().unwrap_err();
//! assert!(unmet.to_string().contains("method hello: expected 1 to 3 calls, received 0"));
//! ```
//!
//! | module | subject |
//! |---|---|
//! | [`mock`] | the sentence: clauses, and the plugin that they make |
//! | [`matching`] | which calls a clause is about |
//! | [`reply`] | what is done about a call, misbehaviour included |
//! | [`times`] | how often a call is expected |
//! | [`call`] | what the plugin received |
//! | [`plugin`] | a mock at work: what it received, and whether that is what was expected |
//! | [`unmet`] | the report of what was not |
//! | [`serve`] | the plugin's main loop, over any pair of byte streams |
//! | [`script`] | the same sentence as a TOML file, for the binary `mock-plugin` |
//! | `wait` | the only clock |

pub mod call;
pub mod matching;
pub mod mock;
pub mod plugin;
pub mod reply;
pub mod script;
pub mod serve;
pub mod times;
pub mod unmet;
mod wait;

pub use call::{Call, CallKind};
pub use matching::Match;
pub use mock::{Clause, Mock};
pub use plugin::MockPlugin;
pub use reply::{Reply, Respond};
pub use script::ScriptError;
pub use serve::{Ended, ServeError};
pub use times::Times;
pub use unmet::{TooFew, Unmet};
