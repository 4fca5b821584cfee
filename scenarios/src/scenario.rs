//! What a scenario is, and how it is played.

use std::pin::Pin;

use leyden::{Backend, Capability, Net, NetBuilder, Node, Result, Transcript};

use crate::checked::Checked;
use crate::schemas::Schemas;

/// The test itself, in the names of transcripts.
const RPC: &str = "rpc";

/// What happens in the net.
pub type Body = for<'a> fn(&'a Net) -> Pin<Box<dyn Future<Output = Result> + Send + 'a>>;

/// A net, what happens in it, and whose words are kept as goldens.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: that of its tests and its goldens.
    pub name: &'static str,
    /// What it shows, in one line.
    pub shows: &'static str,
    /// What a backend must be able to do.
    pub needs: Vec<Capability>,
    /// The transcripts that every backend must reproduce.
    pub goldens: Vec<Golden>,
    net: fn() -> NetBuilder,
    body: Body,
}

/// A transcript that every backend must reproduce.
#[derive(Clone, Debug)]
pub struct Golden {
    /// The node, such as `l1`.
    pub node: &'static str,
    /// The plugin.
    pub plugin: &'static str,
    view: fn(Transcript) -> Transcript,
}

/// What came of a scenario that was played.
#[derive(Debug)]
pub struct Played {
    /// What became of its goldens.
    pub goldens: Vec<Said>,
    /// Everything that was said, of every plugin, and of the test as the client of each node.
    pub said: Vec<Said>,
    /// What the catalogue and CLN's schemas say of it.
    pub checked: Checked,
}

/// What was said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Where: scenario, node and plugin, such as `peer_refused.l2.doorman`. That of a golden is its name.
    pub name: String,
    /// What node and plugin said this time.
    pub transcript: Transcript,
}

impl Scenario {
    pub(crate) fn new(shows: &'static str, net: fn() -> NetBuilder, body: Body) -> Self {
        Self { name: "", shows, needs: Vec::new(), goldens: Vec::new(), net, body }
    }

    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(crate) fn needs(mut self, capability: Capability) -> Self {
        self.needs.push(capability);
        self
    }

    /// Keeps everything between a node and one of its plugins.
    pub(crate) fn golden(self, node: &'static str, plugin: &'static str) -> Self {
        self.golden_view(node, plugin, |transcript| transcript)
    }

    /// Keeps a part of it: what lightningd's bundled plugins cause as well is left out, for example.
    pub(crate) fn golden_view(
        mut self,
        node: &'static str,
        plugin: &'static str,
        view: fn(Transcript) -> Transcript,
    ) -> Self {
        self.goldens.push(Golden { node, plugin, view });
        self
    }

    /// The names of its goldens, such as `peer_refused.l2.doorman`.
    pub fn golden_names(&self) -> Vec<String> {
        self.goldens.iter().map(|golden| self.golden_name(golden)).collect()
    }

    /// Why a backend cannot play it, in words; `None` if it can.
    pub fn skipped(&self, backend: Backend) -> Option<&'static str> {
        self.needs.iter().find_map(|need| backend.lacks(*need))
    }

    /// Plays it from the start to the checks at the end of the net, replicas included; gives what was said.
    ///
    /// # Errors
    /// If the net does not start, or if its end has complaints.
    ///
    /// # Panics
    /// If the body fails: the run directory is kept. If a node has said what CLN does not know.
    pub async fn play(&self, backend: Backend) -> Result<Played> {
        self.play_on((self.net)().backend(backend), &backend.to_string()).await
    }

    /// As [`Scenario::play`], with both kinds of nodes in one net: the first node is played by the first backend, and so on, again from the first
    /// where there are more nodes.
    ///
    /// # Errors
    /// As [`Scenario::play`].
    ///
    /// # Panics
    /// As [`Scenario::play`]. If there are no backends.
    pub async fn play_mixed(&self, backends: &[Backend]) -> Result<Played> {
        let net = (self.net)().backend(backends[0]);
        let names = net.node_names();
        let cast = names.iter().zip(backends.iter().cycle());
        let net = cast.fold(net, |net, (name, backend)| net.node_backend(name, *backend));
        let who: Vec<String> = backends.iter().map(ToString::to_string).collect();
        self.play_on(net, &who.join(", ")).await
    }

    async fn play_on(&self, net: NetBuilder, who: &str) -> Result<Played> {
        let net = net.replicate().start().await?;
        if let Err(error) = (self.body)(&net).await {
            panic!("{} on {who}: {error}\nits files are in {}", self.name, net.run_dir().display());
        }
        let goldens = self.goldens.iter().map(|golden| self.golden_of(golden, &net)).collect();
        let said = net.all_nodes().iter().flat_map(|node| self.said_by(node)).collect();
        let checked = Checked::of(&net, Schemas::at_hand().as_ref());
        net.finish().await?;
        let violations = checked.violations.join("\n");
        assert!(violations.is_empty(), "{} on {who}: it is not what CLN says:\n{violations}", self.name);
        Ok(Played { goldens, said, checked })
    }

    fn golden_of(&self, golden: &Golden, net: &Net) -> Said {
        let transcript = (golden.view)(net.node(golden.node).transcript(golden.plugin));
        Said { name: self.golden_name(golden), transcript }
    }

    fn said_by(&self, node: &Node) -> Vec<Said> {
        let said =
            |who: &str, transcript| Said { name: format!("{}.{}.{who}", self.name, node.name()), transcript };
        let plugins = node.plugins_heard();
        let plugins = plugins.iter().map(|plugin| said(plugin, node.transcript(plugin)));
        plugins.chain([said(RPC, node.rpc_transcript())]).collect()
    }

    fn golden_name(&self, golden: &Golden) -> String {
        format!("{}.{}.{}", self.name, golden.node, golden.plugin)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::OnceLock;

    use leyden::MockChain;

    use super::*;
    use crate::wrong_node::Wrong;

    static RUN_DIR: OnceLock<PathBuf> = OnceLock::new();

    async fn write_what_is_not_shown(net: &Net) -> Result {
        RUN_DIR.get_or_init(|| net.run_dir().to_owned());
        let [l1] = net.nodes();
        l1.kill().await?;
        Wrong::Executes("INSERT INTO vars (name, intval) VALUES ('unseen', 271828)").leave(net, &l1)?;
        l1.start().await
    }

    #[tokio::test]
    async fn every_scenario_compares_databases_with_what_db_write_shows() {
        let net = || Net::builder().nodes(["l1"]).chain(MockChain::new());
        let scenario = Scenario::new("a wrong node", net, |net| Box::pin(write_what_is_not_shown(net)));
        let error = scenario.play(Backend::Embedded).await.expect_err("the node is wrong").to_string();
        assert!(error.contains("with a replay of what db_write showed"), "{error}");
        assert!(error.contains("only in the database") && error.contains("271828"), "{error}");
        std::fs::remove_dir_all(RUN_DIR.get().expect("it was played")).expect("it was kept");
    }
}
