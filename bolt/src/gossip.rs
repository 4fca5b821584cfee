//! What nodes tell each other of the network (BOLT 7): the graph that it makes, and routes through it.
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | `graph` | channels and nodes, in the order in which CLN lists them | `common/gossmap.c` |
//! | `rules` | which messages are believed, and which are news | `gossipd/gossmap_manage.c`, `sigcheck.c` |
//! | `own` | the messages of our own node and channels | `lightningd/gossip_generation.c` |
//! | `query` | what peers ask of the graph, and the answers | `connectd/queries.c` |
//! | `address` | where a node says that it is | `common/wireaddr.c` |
//! | `route` | the cheapest route, as `getroute` finds it | `common/route.c`, `common/dijkstra.c` |
//! | `split` | several routes that carry a payment together | |

mod address;
mod graph;
mod own;
mod query;
mod route;
mod rules;
mod split;

pub use address::{Address, BadAddresses};
pub use graph::{Channel, Graph, Node};
pub use own::{no_signature, node_alias, unsigned_channel_announcement};
pub use query::{BadQuery, answer_ids, answer_range, range_limit};
pub use route::{
    Exclusion, Hop, LocalHalf, NoRoute, ROUTING_MAX_HOPS, RouteRequest, eleven_bits_down, eleven_bits_up,
};
pub use rules::{BadGossip, DYING_BLOCKS, News, PRUNE_SECONDS, check_channel_announcement, is_announceable};
