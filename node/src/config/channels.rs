//! What a node asks of its channels, and for forwarding.

/// Defaults are those of lightningd on regtest (`lightningd/options.c:testnet_config`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// `--ignore-fee-limits`: let peers choose any fee.
    pub ignore_fee_limits: bool,
    /// `--watchtime-blocks`: how many blocks a peer has to wait for its money after its unilateral close.
    pub to_self_delay: u16,
    /// `--funding-confirms`: confirmations of a funding transaction.
    pub funding_confirms: u32,
    /// `--cltv-delta`: blocks between the ends of the two HTLCs of a forward.
    pub cltv_delta: u16,
    /// `--cltv-final`: blocks that the last HTLC of a payment has left.
    pub cltv_final: u16,
    /// `--fee-base`: msat for each HTLC that is forwarded.
    pub fee_base_msat: u32,
    /// `--fee-per-satoshi`: millionths of each HTLC that is forwarded.
    pub fee_proportional_millionths: u32,
    /// `--htlc-minimum-msat`: the smallest HTLC.
    pub htlc_minimum_msat: u64,
    /// `--htlc-maximum-msat`: the largest HTLC.
    pub htlc_maximum_msat: u64,
    /// `--max-concurrent-htlcs`: how many HTLCs a peer may offer at a time.
    pub max_concurrent_htlcs: u16,
    /// `--dev-low-prio-anchor-blocks`: within how many blocks a commitment without HTLCs has to be in one.
    pub low_prio_anchor_blocks: u32,
    /// `--max-dust-htlc-exposure-msat`: how much HTLCs without an output may carry.
    pub max_dust_htlc_exposure_msat: u64,
    /// `--dev-no-htlc-timeout`: a peer may take its time until an HTLC can be committed to.
    pub no_htlc_timeout: bool,
    /// `--dev-strict-forwarding`: forward over the channel that was asked for, even if its peer has a better one.
    pub strict_forwarding: bool,
    /// How soon to connect again to peers with channels.
    pub reconnect: Reconnect,
}

/// How soon to connect again to a peer with channels that has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reconnect {
    /// After a second, and later and later from then on.
    #[default]
    Patient,
    /// `--dev-fast-reconnect`: never later than after three seconds.
    Fast,
    /// `--dev-no-reconnect`: it is left to the peer.
    Never,
}

impl Default for Channels {
    fn default() -> Self {
        Self {
            ignore_fee_limits: true,
            to_self_delay: 6,
            funding_confirms: 1,
            cltv_delta: 6,
            cltv_final: 10,
            fee_base_msat: 1,
            fee_proportional_millionths: 10,
            htlc_minimum_msat: 0,
            htlc_maximum_msat: u64::MAX,
            max_concurrent_htlcs: 483,
            low_prio_anchor_blocks: 2016,
            max_dust_htlc_exposure_msat: 50_000_000,
            no_htlc_timeout: false,
            strict_forwarding: false,
            reconnect: Reconnect::default(),
        }
    }
}
