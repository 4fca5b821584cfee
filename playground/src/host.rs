//! The program that has the net: it runs in the background, from `start_ln` to `stop_ln`, and does what the other commands ask for.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use leyden::{Backend, Net, Node, Result, Units};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cli::HostArgs;
use crate::control::{self, BITCOIND, Order};
use crate::home::Home;

/// What each node gets: one bitcoin.
const WALLET_SAT: u64 = 100_000_000;

/// Has a net until it is told to stop.
pub(crate) fn main(args: &HostArgs) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Both whoever started it and the log have it.
            say(&format!("{error:#}"));
            anstream::eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(args: &HostArgs) -> anyhow::Result<()> {
    let home = Home::from_env();
    let backend = args.net.backend()?;
    let names: Vec<String> = (1..=args.nodes).map(|number| format!("l{number}")).collect();
    let net = Arc::new(start(args, backend, &names).await?);
    for name in &names {
        home.link(&net.node(name))?;
    }
    let listener = UnixListener::bind(home.control())?;
    say(&format!("{} run, with the {backend} node, in {}", names.join(", "), home.path().display()));
    if args.fund {
        fund(&net, &names).await?.iter().for_each(|line| say(line));
    }
    say(control::READY);
    let stopper = serve(&listener, &net, &names).await;
    let finished = Arc::into_inner(net).expect("all who had it are gone").finish().await;
    let came = finished.map(|()| json!({})).map_err(|error| error.to_string());
    reply(stopper, &came).await;
    Ok(())
}

async fn start(args: &HostArgs, backend: Backend, names: &[String]) -> Result<Net> {
    let mut net = Net::builder().nodes(names).backend(backend).keep();
    if let Some(profile) = args.net.release_profile {
        net = net.profile(profile);
    }
    for name in names {
        // In a test nodes stay away once they are disconnected; here they are to behave as they do elsewhere.
        net = net.option(name, "dev-no-reconnect", false);
    }
    net.start().await
}

/// Does what it is told until somebody says `stop`: gives that one.
async fn serve(listener: &UnixListener, net: &Arc<Net>, names: &[String]) -> UnixStream {
    let (stop, mut stopped) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    let stopper = loop {
        tokio::select! {
            Some(stopper) = stopped.recv() => break stopper,
            Ok((stream, _)) = listener.accept() => {
                tasks.spawn(obey(stream, Arc::clone(net), names.to_vec(), stop.clone()));
            }
        }
    };
    tasks.shutdown().await;
    stopper
}

async fn obey(stream: UnixStream, net: Arc<Net>, names: Vec<String>, stop: mpsc::Sender<UnixStream>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    if stream.read_line(&mut line).await.is_err() {
        return;
    }
    let came = match Order::parse(&line) {
        // Another one may have said so already.
        Ok(Order::Stop) => return stop.send(stream.into_inner()).await.unwrap_or_default(),
        Ok(order) => carry_out(&net, &names, order).await.map_err(|error| error.to_string()),
        Err(error) => Err(format!("{error:#}")),
    };
    reply(stream.into_inner(), &came).await;
}

/// Whoever has asked may have lost patience.
async fn reply(mut stream: UnixStream, came: &std::result::Result<Value, String>) {
    drop(stream.write_all(control::answer(came).as_bytes()).await);
}

async fn carry_out(net: &Net, names: &[String], order: Order) -> Result<Value> {
    match order {
        Order::FundNodes => Ok(fund(net, names).await?.into()),
        Order::Connect { from, to } => {
            let to = node(net, names, &to)?;
            let params = json!([to.id(), "127.0.0.1", to.port()]);
            node(net, names, &from)?.rpc("connect", params).await
        }
        Order::Call { whom, method, params } if whom == BITCOIND => net.bitcoind().rpc(&method, params).await,
        Order::Call { whom, method, params } => node(net, names, &whom)?.rpc(&method, params).await,
        Order::Stop => Ok(Value::Null),
    }
}

fn node(net: &Net, names: &[String], name: &str) -> Result<Node> {
    if names.iter().any(|known| known == name) {
        return Ok(net.node(name));
    }
    Err(leyden::Error::test(format!("looking for the node {name}"))
        .expected(format!("one of {}", names.join(", "))))
}

/// Gives every node a bitcoin, and each a channel with the next; says so.
async fn fund(net: &Net, names: &[String]) -> Result<Vec<String>> {
    let nodes: Vec<Node> = names.iter().map(|name| net.node(name)).collect();
    for node in &nodes {
        net.fundwallet(node, WALLET_SAT.sat()).await?;
    }
    let channels = net.join_nodes(&nodes.iter().collect::<Vec<_>>()).await?;
    let line = |(pair, channel): (&[Node], leyden::FundedChannel)| {
        format!("{} -> {}: channel {}", pair[0].name(), pair[1].name(), channel.scid)
    };
    Ok(nodes.windows(2).zip(channels).map(line).collect())
}

/// Says something to whoever has started this, who may have gone.
fn say(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}
