//! A plan as a test of its own, to be compiled and run where the package `leyden` is a dependency.

use crate::action::Action;
use crate::stage::FEERATES;

/// The verbs that the test uses.
const VERBS: [(&str, &str); 3] = [
    ("stage", include_str!("stage.rs")),
    ("looks", include_str!("looks.rs")),
    ("chain", include_str!("chain.rs")),
];

/// The whole file.
pub(crate) fn test(nodes: usize, plan: &[Action]) -> String {
    let body = body(nodes, plan).replace("super::stage", "stage");
    let module = |(name, text): (&str, &str)| format!("\nmod {name} {{\n{text}}}\n");
    body + &VERBS.map(module).concat()
}

/// The file without the verbs.
pub(crate) fn body(nodes: usize, plan: &[Action]) -> String {
    let names: Vec<String> = (1..=nodes).map(|node| format!("l{node}")).collect();
    let mount = |name: &String| format!("        .mount(\"{name}\", judge())\n");
    let mounts: String = names.iter().map(mount).collect();
    let statements: String = plan.iter().map(|action| format!("    {action}\n")).collect();
    let (quoted, listed) = (format!("{names:?}"), names.join(", "));
    let borrowed: Vec<String> = names.iter().map(|name| format!("&{name}")).collect();
    let uses = |names: &[&str], text: &str| {
        let used: Vec<&str> =
            names.iter().copied().filter(|name| text.contains(&format!("{name}::"))).collect();
        used.iter().map(|name| format!("{name}, ")).collect::<String>()
    };
    let ours = uses(&["Fault"], &statements);
    let leydens = uses(&["Commit", "Hook"], &statements);
    let reply = uses(&["Reply"], &statements);
    format!(
        "//! A sequence of the property net_model.\n\n\
         use super::stage::{{{ours}Stage, judge}};\n\
         use leyden::{{{leydens}Net, {reply}Result, Units}};\n\n\
         #[tokio::test]\n\
         #[rustfmt::skip] // It was printed.\n\
         async fn a_sequence_of_the_net_model() -> Result {{\n    \
             let net = Net::builder()\n        \
                 .nodes({quoted})\n        \
                 .feerates({FEERATES:?})\n{mounts}        \
                 .start()\n        \
                 .await?;\n    \
             let [{listed}] = net.nodes();\n    \
             let mut stage = Stage::new(&net, &[{borrowed}]);\n\
         {statements}    \
             net.finish().await\n\
         }}\n",
        borrowed = borrowed.join(", "),
    )
}
