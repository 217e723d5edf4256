//! The settings of the engine, their sane ranges, and the rules that a simulation may replace.

use super::{Admission, SharedChecks};
use crate::Error;

/// How a node of the cluster behaves. Times are in seconds, from a millisecond to ten years.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The cluster's name: packets of others are dropped unread.
    pub cluster: String,
    /// Who may be a member.
    pub admission: Admission,
    /// One member is probed this often (SWIM's T). Half of it halves detection time and doubles idle traffic; below 0.2 the
    /// timeouts no longer fit in.
    pub probe_interval: f64,
    /// The shortest time to wait for an answer, whatever the round trips were: scheduling delays of a busy machine must
    /// fit in.
    pub probe_timeout_min: f64,
    /// The longest, and the one for places never heard from. Above the round trip to the farthest member.
    pub probe_timeout_max: f64,
    /// How many others are asked to try (SWIM's k).
    pub indirect_probes: usize,
    /// News goes out at least this often while there is any.
    pub gossip_interval: f64,
    /// To so many members each time.
    pub gossip_fanout: usize,
    /// The first time news goes out so soon after it came, drawn up to this; zero waits for the interval.
    pub quick_gossip: f64,
    /// So many members watch each member and judge it at the first suspicion.
    pub observers: usize,
    /// So many of them must agree that it is out of reach. One less can lie without consequence.
    pub quorum: usize,
    /// The time from unreachable to dead is this × log10 of the cluster's size × `probe_interval` (Lifeguard's α) …
    pub dead_factor: f64,
    /// … and so many times longer where nobody confirms (Lifeguard's β).
    pub dead_factor_unconfirmed: f64,
    /// More than this share of the members out of reach is taken for a partition: no deaths then.
    pub mass_share: f64,
    /// For at most this long.
    pub partition_hold: f64,
    /// One dead member or seed is greeted this often, so that partitions heal by themselves.
    pub heal_interval: f64,
    /// Own record signed anew this often. A third of `record_age`, so that it survives two failures; half of it doubles what
    /// an idle cluster spends on it, which grows with its size: 0.15 bytes a second for each member.
    pub resign_interval: f64,
    /// Records whose time of issue is further away than this are refused and the dead among them buried.
    pub record_age: f64,
    /// Buried members are remembered so long. More than twice `record_age`.
    pub tombstone_age: f64,
    /// A deadline met later than this was a pause of this process.
    pub pause_limit: f64,
    /// Two exchanges because of differing roots are begun at least this far apart.
    pub sync_interval: f64,
    /// Changes of the view are told in batches of this length.
    pub view_window: f64,
    /// Goodbye is over when so many have heard it, or after `leave_timeout`.
    pub leave_acknowledgements: usize,
    /// See `leave_acknowledgements`.
    pub leave_timeout: f64,
    /// A member that was away is shown as alive again when it has been back for so long; 0: at once.
    pub return_hold: f64,
    /// A member that goes and returns more often than this within about a minute stays unreachable until it is quiet.
    pub flaps_allowed: f64,
    /// The most members. A record takes about 500 bytes.
    pub max_members: usize,
    /// The most peers talked to at one time; each takes about 500 bytes.
    pub max_links: usize,
    /// The longest datagram: below the smallest path MTU of IPv6, 1,280, less headers.
    pub packet_bytes: usize,
    /// The most changes waiting to be spread.
    pub buffer_capacity: usize,
    /// So many broadcasts are remembered for certain.
    pub cache_capacity: usize,
    /// For tests and simulations.
    pub rules: Rules,
}

impl EngineConfig {
    /// The most seeds.
    pub const MAX_SEEDS: usize = 64;
    /// The longest payload of a broadcast, so that it fits into a packet with everything around it.
    pub const MAX_BROADCAST: usize = 850;
    /// The lowest and highest version of the protocol spoken here.
    pub const VERSIONS: (u8, u8) = (1, 1);

    /// The settings for a cluster in which `admission` decides.
    #[must_use]
    pub fn new(cluster: &str, admission: Admission) -> Self {
        Self {
            cluster: cluster.to_owned(),
            admission,
            probe_interval: 1.0,
            probe_timeout_min: 0.1,
            probe_timeout_max: 0.5,
            indirect_probes: 3,
            gossip_interval: 0.2,
            gossip_fanout: 4,
            quick_gossip: 0.02,
            observers: 8,
            quorum: 3,
            dead_factor: 4.0,
            dead_factor_unconfirmed: 6.0,
            mass_share: 0.15,
            partition_hold: 3_600.0,
            heal_interval: 15.0,
            resign_interval: 2.5 * 3_600.0,
            record_age: 7.5 * 3_600.0,
            tombstone_age: 24.0 * 3_600.0,
            pause_limit: 1.0,
            sync_interval: 0.5,
            view_window: 0.1,
            leave_acknowledgements: 8,
            leave_timeout: 5.0,
            return_hold: 3.0,
            flaps_allowed: 1.0,
            max_members: 1 << 16,
            max_links: 1 << 16,
            packet_bytes: 1_200,
            buffer_capacity: 1 << 14,
            cache_capacity: 1 << 14,
            rules: Rules::default(),
        }
    }

    /// Refuses what cannot work, with the name of the setting.
    pub fn check(&self) -> Result<(), Error> {
        let spans = [
            ("probe_interval", self.probe_interval),
            ("probe_timeout_min", self.probe_timeout_min),
            ("probe_timeout_max", self.probe_timeout_max),
            ("gossip_interval", self.gossip_interval),
            ("partition_hold", self.partition_hold),
            ("heal_interval", self.heal_interval),
            ("resign_interval", self.resign_interval),
            ("record_age", self.record_age),
            ("tombstone_age", self.tombstone_age),
            ("pause_limit", self.pause_limit),
            ("sync_interval", self.sync_interval),
            ("view_window", self.view_window),
            ("leave_timeout", self.leave_timeout),
        ];
        let spans = spans.map(|(what, got)| (what, got, LEAST_SPAN, MOST_SPAN));
        let others = [
            ("quick_gossip", self.quick_gossip, 0.0, MOST_SPAN), // 0: waits for the interval
            ("return_hold", self.return_hold, 0.0, MOST_SPAN),   // 0: at once
            ("dead_factor", self.dead_factor, 0.01, MOST_FACTOR),
            ("dead_factor_unconfirmed", self.dead_factor_unconfirmed, 0.01, MOST_FACTOR),
            ("mass_share", self.mass_share, 0.001, 1.0),
            ("flaps_allowed", self.flaps_allowed, 0.01, f64::MAX), // far above what happens: never held back
        ];
        for (what, got, least, most) in spans.into_iter().chain(others) {
            if !(least..=most).contains(&got) {
                return Err(Error::OutOfRange { what, least, most, got });
            }
        }
        let above = [
            ("tombstone_age beyond twice record_age", self.tombstone_age - 2.0 * self.record_age),
            ("record_age beyond twice resign_interval", self.record_age - 2.0 * self.resign_interval),
            ("quorum", self.quorum as f64),
            ("observers beyond quorum", self.observers as f64 - self.quorum as f64 + 1.0),
            ("gossip_fanout", self.gossip_fanout as f64),
            ("packet_bytes beyond 600", self.packet_bytes as f64 - 600.0),
        ];
        for (what, got) in above {
            if got.is_nan() || got <= 0.0 {
                return Err(Error::NotPositive { what, got });
            }
        }
        Ok(())
    }
}

/// The shortest time that a setting may be: a timer that is due more often than a thread can be woken keeps it from all else.
const LEAST_SPAN: f64 = 0.001;

/// The longest: ten years, more than any process lives, and far from where adding seconds to a clock loses some.
const MOST_SPAN: f64 = 3_652.0 * 86_400.0;

/// The largest factor: with a second's probes it makes the longest span of a day.
const MOST_FACTOR: f64 = 10_000.0;

/// How packets between members are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// X25519 and ChaCha20-Poly1305: the only one that ever leaves a process.
    Pairwise,
    /// A model for simulations of thousands of nodes: the same sizes, heads and replay windows, and a checksum in place of
    /// the cipher. It protects nothing.
    Model,
}

/// How failures are found and told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// Ours: observers, quorum, certificates.
    Observers,
    /// A model of memberlist's LAN rules: suspicion by one, told to all, Lifeguard.
    Memberlist,
    /// A model of plain SWIM: suspicion by one, fixed time, no local health, no fallback.
    Swim,
}

/// Rules that a test breaks one by one to see that the tests notice, and that a simulation replaces by a rival's. Every
/// node that leaves a process uses the default; the bindings offer no other.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one rule that can be broken on its own")]
pub struct Rules {
    /// How packets are sealed.
    pub sealing: Sealing,
    /// How failures are found.
    pub detection: Detection,
    /// Where simulated nodes of one process keep which signatures they have found to be good.
    pub shared: Option<SharedChecks>,
    /// Signatures of records are checked.
    pub check_signatures: bool,
    /// Packets are taken once.
    pub replay_window: bool,
    /// Old records are refused.
    pub refuse_old: bool,
    /// An accused node answers.
    pub refute: bool,
    /// Only a node itself raises its incarnation.
    pub own_incarnation_only: bool,
    /// Only its own word makes a member alive again.
    pub own_revival_only: bool,
    /// A death is believed only with a certificate.
    pub certified_deaths: bool,
    /// The members that made a certificate are counted, and each once.
    pub count_accusers: bool,
    /// Late deadlines are pauses of this process.
    pub pause_guard: bool,
    /// Mass suspicion holds deaths.
    pub brake: bool,
    /// Dead members are greeted.
    pub heal: bool,
    /// Differing roots lead to an exchange.
    pub anti_entropy: bool,
    /// Each broadcast is told once.
    pub deduplicate: bool,
    /// Buried members stay buried.
    pub tombstones: bool,
    /// A new incarnation is covered by the log before it is used.
    pub reserve_incarnations: bool,
    /// Breaks none: the versions of the protocol that the node says it speaks, [`EngineConfig::VERSIONS`] unless a test lets two
    /// releases meet.
    pub versions: (u8, u8),
    /// Breaks none: makes the node a liar, for tests of the others.
    pub lies: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            sealing: Sealing::Pairwise,
            detection: Detection::Observers,
            shared: None,
            check_signatures: true,
            replay_window: true,
            refuse_old: true,
            refute: true,
            own_incarnation_only: true,
            own_revival_only: true,
            certified_deaths: true,
            count_accusers: true,
            pause_guard: true,
            brake: true,
            heal: true,
            anti_entropy: true,
            deduplicate: true,
            tombstones: true,
            reserve_incarnations: true,
            versions: EngineConfig::VERSIONS,
            lies: false,
        }
    }
}
