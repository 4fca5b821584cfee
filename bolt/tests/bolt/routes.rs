//! Routes: against every simple path of small graphs, and the cases that lightningd decides in its own way.

use crate::gossip_graph::{announcement, id, scid, update};
use leyden_bolt::gossip::*;
use leyden_bolt::message::gossip::ChannelUpdate;
use proptest::prelude::*;

const AMOUNT_MSAT: u64 = 100_000;

fn request(source: u8, destination: u8) -> RouteRequest {
    RouteRequest {
        source: id(source),
        destination: id(destination),
        amount_msat: AMOUNT_MSAT,
        riskfactor: 10.0,
        final_cltv: 9,
        max_hops: ROUTING_MAX_HOPS,
        exclude: Vec::new(),
        local: Vec::new(),
    }
}

/// A channel that takes the same both ways.
fn connect(graph: &mut Graph, channel: &str, ends: (u8, u8), change: impl Fn(&mut ChannelUpdate)) {
    graph.add_channel(announcement(channel, ends.0, ends.1), 1_000_000);
    for (from, to) in [ends, (ends.1, ends.0)] {
        let mut update = update(channel, from, to);
        change(&mut update);
        graph.take_update(update);
    }
}

fn names(hops: &[Hop]) -> Vec<String> {
    hops.iter().map(|hop| hop.channel.to_string()).collect()
}

#[test]
fn amounts_and_delays_add_up_backwards() {
    let mut graph = Graph::new();
    for (channel, ends) in [("103x1x0", (1, 2)), ("103x2x0", (2, 3)), ("103x3x0", (3, 4))] {
        connect(&mut graph, channel, ends, |_| ());
    }
    let hops = graph.route(&request(1, 4)).unwrap();
    // The fee is 1 msat and 10 millionths: 100000 * 10 / 10^6 is 1. The first node takes nothing of itself.
    let told: Vec<(u64, u32)> = hops.iter().map(|hop| (hop.amount_msat, hop.delay)).collect();
    assert_eq!(told, [(100_004, 21), (100_002, 15), (100_000, 9)]);
    assert_eq!(hops.iter().map(|hop| hop.id).collect::<Vec<_>>(), [id(2), id(3), id(4)]);
    let direction = |from: u8, to: u8| u8::from(id(from) > id(to));
    let directions: Vec<u8> = hops.iter().map(|hop| hop.direction).collect();
    assert_eq!(directions, [direction(1, 2), direction(2, 3), direction(3, 4)]);
    assert_eq!(graph.route(&request(1, 1)), Ok(vec![]));
}

#[test]
fn what_cannot_carry_the_amount_is_not_used() {
    let changes: [fn(&mut ChannelUpdate); 5] = [
        |update| update.channel_flags |= ChannelUpdate::DISABLED,
        |update| update.htlc_maximum_msat = AMOUNT_MSAT / 2,
        |update| update.htlc_minimum_msat = AMOUNT_MSAT * 2,
        // lightningd keeps no larger fees.
        |update| update.fee_base_msat = 1 << 24,
        |update| update.fee_proportional_millionths = 1 << 20,
    ];
    for change in changes {
        let mut graph = Graph::new();
        connect(&mut graph, "103x1x0", (1, 2), change);
        assert_eq!(graph.route(&request(1, 2)), Err(NoRoute::NotFound));
        connect(&mut graph, "103x2x0", (1, 2), |_| ());
        assert_eq!(names(&graph.route(&request(1, 2)).unwrap()), ["103x2x0"]);
    }
}

#[test]
fn an_amount_of_nothing_goes_where_any_amount_goes() {
    let mut graph = Graph::new();
    connect(&mut graph, "103x1x0", (1, 2), |update| update.htlc_minimum_msat = 1_000);
    assert!(graph.route(&RouteRequest { amount_msat: 0, ..request(1, 2) }).is_ok());
    assert!(graph.route(&RouteRequest { amount_msat: 1, ..request(1, 2) }).is_err());
}

#[test]
fn nodes_without_channels_are_named() {
    let mut graph = Graph::new();
    connect(&mut graph, "103x1x0", (1, 2), |_| ());
    let text = |source, destination| graph.route(&request(source, destination)).unwrap_err().to_string();
    assert_eq!(text(3, 1), format!("{}: unknown source node_id (no public channels?)", id(3)));
    assert_eq!(text(1, 3), format!("{}: unknown destination node_id (no public channels?)", id(3)));
}

#[test]
fn a_cheap_route_gives_way_to_a_short_one_if_it_is_too_long() {
    let mut graph = Graph::new();
    for (channel, ends) in [("103x1x0", (1, 2)), ("103x2x0", (2, 3)), ("103x3x0", (3, 4))] {
        connect(&mut graph, channel, ends, |_| ());
    }
    connect(&mut graph, "104x1x0", (1, 5), |update| update.fee_base_msat = 1_000);
    connect(&mut graph, "104x2x0", (5, 4), |update| update.fee_base_msat = 1_000);
    let route = |max_hops| graph.route(&RouteRequest { max_hops, ..request(1, 4) });
    assert_eq!(names(&route(3).unwrap()), ["103x1x0", "103x2x0", "103x3x0"]);
    assert_eq!(names(&route(2).unwrap()), ["104x1x0", "104x2x0"]);
    assert_eq!(route(1), Err(NoRoute::TooLong(2)));
}

#[test]
fn what_is_excluded_is_gone_round() {
    let mut graph = Graph::new();
    connect(&mut graph, "103x1x0", (1, 2), |_| ());
    connect(&mut graph, "103x2x0", (2, 4), |_| ());
    connect(&mut graph, "104x1x0", (1, 3), |update| update.fee_base_msat = 100);
    connect(&mut graph, "104x2x0", (3, 4), |update| update.fee_base_msat = 100);
    let route = |exclusion| {
        let route = graph.route(&RouteRequest { exclude: vec![exclusion], ..request(1, 4) });
        names(&route.unwrap())
    };
    let direction = u8::from(id(2) > id(4));
    let channel = |direction| Exclusion::Channel(scid("103x2x0"), direction);
    assert_eq!(route(channel(direction)), ["104x1x0", "104x2x0"]);
    assert_eq!(route(channel(1 - direction)), ["103x1x0", "103x2x0"], "the other direction");
    assert_eq!(route(Exclusion::Node(id(2))), ["104x1x0", "104x2x0"]);
}

#[test]
fn own_channels_count_as_the_node_knows_them() {
    let mut graph = Graph::new();
    connect(&mut graph, "103x1x0", (2, 3), |_| ());
    let mut local = LocalHalf {
        short_channel_id: scid("105x1x0"),
        source: id(1),
        destination: id(2),
        capacity_msat: 1_000_000_000,
        enabled: true,
        htlc_minimum_msat: 0,
        htlc_maximum_msat: 500_000,
        fee_base_msat: 0,
        fee_proportional_millionths: 0,
        cltv_expiry_delta: 0,
    };
    let route = |local: &LocalHalf, amount_msat| {
        graph.route(&RouteRequest { local: vec![local.clone()], amount_msat, ..request(1, 3) })
    };
    assert_eq!(graph.route(&request(1, 3)), Err(NoRoute::UnknownSource(id(1))));
    assert_eq!(names(&route(&local, AMOUNT_MSAT).unwrap()), ["105x1x0", "103x1x0"]);
    assert_eq!(route(&local, 600_000), Err(NoRoute::NotFound), "there is not as much to spend");
    local.enabled = false;
    assert_eq!(route(&local, AMOUNT_MSAT), Err(NoRoute::NotFound));
}

#[test]
fn a_payment_that_no_channel_carries_is_split() {
    let mut graph = Graph::new();
    let limit = |update: &mut ChannelUpdate| update.htlc_maximum_msat = 60_000;
    connect(&mut graph, "103x1x0", (1, 2), limit);
    connect(&mut graph, "103x2x0", (1, 3), limit);
    connect(&mut graph, "103x3x0", (2, 4), |_| ());
    connect(&mut graph, "103x4x0", (3, 4), |_| ());
    assert_eq!(graph.route(&request(1, 4)), Err(NoRoute::NotFound));
    let routes = graph.routes(&request(1, 4), 100).unwrap();
    let arrives: u64 = routes.iter().map(|hops| hops.last().unwrap().amount_msat).sum();
    assert_eq!((routes.len(), arrives), (2, AMOUNT_MSAT));
    assert_eq!(graph.routes(&request(1, 4), 1), Err(NoRoute::NotFound));
}

#[test]
fn parts_together_use_no_channel_beyond_what_it_holds() {
    let mut graph = Graph::new();
    let limit = |update: &mut ChannelUpdate| update.htlc_maximum_msat = 600_000_000;
    connect(&mut graph, "103x1x0", (1, 2), limit);
    let request = |amount_msat| RouteRequest { amount_msat, ..request(1, 2) };
    assert_eq!(graph.routes(&request(1_000_000_000), 10).unwrap().len(), 2);
    assert_eq!(graph.routes(&request(1_000_000_001), 10), Err(NoRoute::NotFound));
}

/// Channels that all take the same, numbered from 1.
const EQUAL: [(u8, u8); 12] =
    [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 1), (1, 7), (7, 4), (2, 5), (3, 6), (7, 3), (2, 7)];

/// From where, to where, and over which two of them lightningd v26.06.6 went, with the graph from a `gossip_store`.
const TAKEN: [(u8, u8, [u32; 2]); 18] = [
    (1, 3, [6, 10]),
    (1, 4, [7, 8]),
    (1, 5, [6, 5]),
    (2, 4, [12, 8]),
    (2, 6, [9, 5]),
    (3, 1, [10, 6]),
    (3, 5, [10, 5]),
    (4, 1, [8, 7]),
    (4, 2, [3, 2]),
    (4, 6, [4, 5]),
    (5, 1, [5, 6]),
    (5, 3, [5, 10]),
    (5, 7, [4, 8]),
    (6, 2, [10, 2]),
    (6, 4, [10, 3]),
    (6, 7, [6, 7]),
    (7, 5, [8, 4]),
    (7, 6, [7, 6]),
];

#[test]
fn of_equal_routes_it_is_the_one_that_lightningd_finds() {
    let mut graph = Graph::new();
    for (number, ends) in (1..).zip(EQUAL) {
        connect(&mut graph, &format!("103x{number}x0"), ends, |_| ());
    }
    for (source, destination, taken) in TAKEN {
        let hops = graph.route(&request(source, destination)).unwrap();
        let numbers: Vec<u32> = hops.iter().map(|hop| hop.channel.transaction()).collect();
        assert_eq!(numbers, taken, "from {source} to {destination}");
    }
}

/// A channel of a random graph: two nodes, and the fees of one direction each.
type Edge = (u8, u8, [(u32, u32, u16, bool); 2]);

fn edges() -> impl Strategy<Value = Vec<Edge>> {
    let half = || (0..5_000u32, 0..5_000u32, 0..200u16, prop::bool::weighted(0.9));
    let edge = (1..6u8, 1..6u8, [half(), half()]).prop_filter("two nodes", |(one, other, _)| one != other);
    prop::collection::vec(edge, 1..9)
}

fn graph_of(edges: &[Edge]) -> Graph {
    let mut graph = Graph::new();
    for (number, (one, other, halves)) in edges.iter().enumerate() {
        let channel = format!("103x{number}x0");
        graph.add_channel(announcement(&channel, *one, *other), 1_000_000);
        for ((from, to), half) in [(*one, *other), (*other, *one)].into_iter().zip(halves) {
            let mut update = update(&channel, from, to);
            (update.fee_base_msat, update.fee_proportional_millionths, update.cltv_expiry_delta) =
                (half.0, half.1, half.2);
            if !half.3 {
                update.channel_flags |= ChannelUpdate::DISABLED;
            }
            graph.take_update(update);
        }
    }
    graph
}

/// What a path costs: fees and risk of all of its channels, as lightningd adds them up.
fn cost(graph: &Graph, path: &[(ShortChannel, u8)]) -> u64 {
    let (mut amount_msat, mut cost) = (AMOUNT_MSAT, 0);
    for (channel, direction) in path.iter().rev() {
        let channel = graph.channel(*channel).unwrap();
        let update = channel.updates[usize::from(*direction)].as_ref().unwrap();
        let fee = u64::from(update.fee_base_msat)
            + amount_msat * u64::from(update.fee_proportional_millionths) / 1_000_000;
        let share = 10.0 / 100.0 / 52_596.0 * f64::from(update.cltv_expiry_delta);
        cost += fee + (amount_msat as f64 * share) as u64;
        amount_msat += fee;
    }
    cost
}

type ShortChannel = leyden_bolt::ShortChannelId;

/// Every path without a node twice that begins with `path`, which ends at `node`.
fn paths(
    graph: &Graph,
    node: u8,
    destination: u8,
    path: &mut Vec<(ShortChannel, u8)>,
    visited: &mut Vec<u8>,
    found: &mut Vec<Vec<(ShortChannel, u8)>>,
) {
    if node == destination {
        return found.push(path.clone());
    }
    for channel in graph.channels_of(&id(node)) {
        let direction = channel.direction_from(&id(node));
        let next = (1..6).find(|next| id(*next) == *channel.destination(direction)).unwrap();
        let usable = channel.updates[usize::from(direction)].as_ref().is_some_and(ChannelUpdate::is_enabled);
        if !usable || visited.contains(&next) {
            continue;
        }
        path.push((channel.short_channel_id(), direction));
        visited.push(next);
        paths(graph, next, destination, path, visited, found);
        visited.pop();
        path.pop();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The search keeps the cheapest way from each node on, though one that costs more may ask for less behind it: the fees
    /// of what is before it depend on the amount. So another path may be cheaper, by a little.
    #[test]
    fn no_path_is_cheaper_than_the_route(edges in edges()) {
        let graph = graph_of(&edges);
        for source in 1..6u8 {
            if graph.node(&id(source)).is_none() || graph.node(&id(1)).is_none() || source == 1 {
                continue;
            }
            let mut found = Vec::new();
            paths(&graph, source, 1, &mut Vec::new(), &mut vec![source], &mut found);
            let cheapest = found.iter().map(|path| cost(&graph, path)).min();
            match graph.route(&request(source, 1)) {
                Ok(hops) => {
                    let path: Vec<_> = hops.iter().map(|hop| (hop.channel, hop.direction)).collect();
                    prop_assert!(found.contains(&path), "{path:?} is no path");
                    let (cost, cheapest) = (cost(&graph, &path), cheapest.unwrap());
                    prop_assert!(cost <= cheapest + cheapest / 50 + 2, "{cost} is more than {cheapest}");
                }
                Err(why) => {
                    prop_assert_eq!(why, NoRoute::NotFound);
                    prop_assert_eq!(cheapest, None);
                }
            }
        }
    }

    /// Parts of a payment are routes, and arrive whole.
    #[test]
    fn parts_arrive_whole(edges in edges(), amount_msat in 1..2_000_000_000u64) {
        let graph = graph_of(&edges);
        let [source, destination] = [edges[0].0, edges[0].1];
        let request = RouteRequest { amount_msat, ..request(source, destination) };
        if let Ok(routes) = graph.routes(&request, 5) {
            prop_assert!(routes.len() <= 5);
            let arrives: u64 = routes.iter().map(|hops| hops.last().unwrap().amount_msat).sum();
            prop_assert_eq!(arrives, amount_msat);
            let mut used = std::collections::BTreeMap::new();
            for hop in routes.iter().flatten() {
                *used.entry((hop.channel, hop.direction)).or_insert(0) += hop.amount_msat;
                prop_assert!(hop.amount_msat <= 990_380_032);
            }
            prop_assert!(used.values().all(|used| *used <= 1_000_000_000));
        }
    }
}
