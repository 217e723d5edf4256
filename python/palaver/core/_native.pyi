"""The manual of the native core.

Words used throughout:

node id
    Sixteen bytes, the start of the BLAKE3 hash of a public key. In Python it is a ``str`` of 1 to 128
    characters, none of them a control character. 32 lower-case hex digits are the bytes; 1 to 15 characters
    from ``A-Z a-z 0-9 . _ : -`` stand for themselves padded with zeros (and hex digits that spell such a name
    are shown as that name); any other text, a UUID for example, stands for a BLAKE3 hash of it that no key can
    have. The process remembers such a text once something holds it, so that it comes back as it was given:
    1,048,576 of them for as long as the process lives, CapacityError beyond. Asking remembers nothing. Another
    process to which only the bytes came shows hex digits until it is given the text, too; either names the
    same node. Names are for tables without signatures: a node that signs has the id of its key. Arguments may
    also be the 16 ``bytes``.
now
    Seconds of a monotonic clock, finite and not negative. Where it is left out, ``time.monotonic()`` is read.
    Give it to live through an hour in a millisecond. One object must always be given times of the same clock.
errors
    Those of ``palaver.core.errors``: CoreError, and so PalaverError and ValueError; StoppedError, a PalaverError
    and RuntimeError. Files and sockets raise OSError, a wrong type is a TypeError. Whatever is raised, nothing
    was changed. Whole numbers are from 0 to the largest of their bits, as given; ArgumentError outside.
    What only a message path calls, with numbers of its own, says where it raises Python's plain errors.
threads
    Every class may be used from several threads at once, with or without the interpreter lock, but for those
    of one event loop: LogTail, Outbox and Outboxes. Using these from two threads at once is a RuntimeError.
    What takes long, such as batches, signatures and files, lets other threads run meanwhile.
"""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, final

from typing_extensions import disjoint_base

from palaver.core.events import Event, Member, Reachability
from palaver.core.types import Members, Priority, Row, Status

__all__ = [
    "Beat",
    "BroadcastBuffer",
    "ClusterDriver",
    "FailureDetector",
    "FanoutStrategy",
    "GossipBackoff",
    "GossipEnvelope",
    "GossipMessage",
    "GossipStrategy",
    "KeyManager",
    "LoadRun",
    "LogTail",
    "MembershipTable",
    "Merged",
    "MessageCache",
    "Node",
    "NodeMetadata",
    "NodeRecord",
    "Opened",
    "Outbox",
    "Outboxes",
    "PairwiseLinks",
    "ProductionNode",
    "RateLimit",
    "RelayRun",
    "ReplayGuard",
    "State",
    "StateStore",
    "WriteAheadLog",
    "first_bad_sdp_line",
    "is_sound_sdp",
    "json_shape",
    "node_id_of",
    "read_relays",
    "rendezvous",
    "sign_ban",
    "sign_ticket",
    "simulate",
    "simulation_scenarios",
    "take_messages",
]

_T = TypeVar("_T")

@final
class NodeMetadata:
    """Where a node runs: a frozen value, compared and hashed by its names.

    Each name is at most 64 bytes of UTF-8 without control characters; empty means "not said".
    Raises ArgumentError for other names.
    """

    def __new__(cls, region: str = "", zone: str = "") -> NodeMetadata: ...
    @property
    def region(self) -> str:
        """For example ``eu-west``."""
    @property
    def zone(self) -> str:
        """The zone within the region. Nodes of one zone tend to fail together."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Node:
    """The record of one member. All of it is fixed but the last heartbeat.

    Raises ArgumentError for a bad id, an incarnation outside 0 to 2**61 - 1, an unknown status or a bad time.
    """

    def __new__(
        cls,
        node_id: str | bytes,
        incarnation: int = 0,
        status: Status = "alive",
        last_heartbeat: float = 0.0,
        metadata: NodeMetadata | None = None,
    ) -> Node: ...
    @property
    def node_id(self) -> str: ...
    @property
    def incarnation(self) -> int:
        """How often the node has answered for itself. Only the node raises its own (SWIM 2002, §4.2)."""
    @property
    def status(self) -> Status: ...
    @property
    def last_heartbeat(self) -> float:
        """When it was last heard, 0.0 for never."""
    @property
    def metadata(self) -> NodeMetadata: ...
    def heartbeat(self, now: float | None = None) -> float:
        """Notes that the node was heard and returns its last heartbeat; an earlier time changes nothing."""

@final
class LoadRun:
    """Carries a plan of load out on a thread of its own, so that Python is not what is measured.

    ``plan`` has the attributes of ``palaver.bench.plan.Plan``. The thread ends by itself: every phase of it has a deadline,
    but for the waiting of a plan in rounds.
    Dropping the run ends it at once, without goodbyes. Raises ArgumentError for a plan that breaks a rule.
    """

    def __new__(cls, plan: Any) -> LoadRun: ...
    def progress(self) -> dict[str, Any]:
        """``phase`` (connecting, settling, waiting, warming, measuring, draining, closing, done) and counts since the run began:
        ``ready, failed, sent, arrived, replies, cycles, others, errors, closed, bytes_in, bytes_out`` and ``cpu``, the thread's
        CPU time in nanoseconds."""

    def go(self) -> None:
        """Begins the next round of a plan whose timing is in rounds: warm-up, measuring, draining. What the last one found is
        forgotten, if nobody took it."""

    def take_round(self) -> dict[str, Any] | None:
        """The report of the round that is over, once; its stages are of that round alone. None: it is not over."""

    def stop(self) -> None:
        """Lets the clients go now; the report tells what was found until then. A second call does not wait for their goodbyes."""

    def is_finished(self) -> bool:
        """Whether ``finish`` would come back at once."""

    def finish(self) -> dict[str, Any]:
        """Waits for the end and returns the report, which ``palaver.bench.run.Report`` describes.

        Raises OSError where the kernel refuses something, ArgumentError when called again.
        """

@final
class MembershipTable:
    """One node's view of the cluster, as a join-semilattice: gossip may come in any order, twice, or in
    pieces.

    Of two statements about a node the one with the larger ``incarnation << 3 | rank`` holds, with the ranks
    alive 0, suspect 1, unreachable 2, dead 3, left 4, banned 5. A dead node that was unknown is kept, so that
    nobody can revive it at the same incarnation. At the last incarnation, 2**61 - 1, a node can only be alive
    or banned: it could not answer.

    Hearing of oneself as suspect, unreachable, dead or left at incarnation ``i`` makes oneself alive at ``i +
    1``: pass the row that ``merge`` returns on at once. After an ``update(own_id, status="left")`` that was news
    the table says left instead.

    A member takes about 100 bytes, and 230 to 300 more once its signed record has come. ``max_members`` (1 to 2**32 -
    1) bounds what strangers can make the table hold; set it to a few times the size the cluster may have.
    """

    def __new__(cls, self_node_id: str | bytes, *, max_members: int = 1048576) -> MembershipTable: ...
    @property
    def self_node_id(self) -> str: ...
    @property
    def members(self) -> Members:
        """All members, the own node first: a new dict each time, ``{id: (incarnation, status,
        last_heartbeat)}``.
        """
    def snapshot(self) -> Members:
        """The same dict as ``members``, for ``merge`` on another node."""
    def get(self, node_id: str | bytes) -> Row | None:
        """The row of one member, without building the dict."""
    def merge(self, incoming: Members, *, now: float | None = None) -> Members:
        """Joins what another node says and returns the news: the rows whose status or incarnation rose, as
        they are now.

        The news is all that is worth telling others; merged elsewhere it has the same effect as ``incoming``.
        ``last_heartbeat`` becomes max(own, min(theirs, now)); it alone is never news. A row may be a list of
        three, as JSON makes it. Raises ArgumentError or TypeError when any row is malformed and CapacityError
        when there would be more than ``max_members``: then no row was joined.
        """
    def update(
        self,
        node_id: str | bytes,
        incarnation: int | None = None,
        status: Status = "alive",
        last_heartbeat: float | None = None,
        *,
        now: float | None = None,
    ) -> bool:
        """Joins one statement of this node's own and says whether it was news.

        No ``incarnation`` means the one the node is known at, or 0; no ``last_heartbeat`` means ``now`` for a
        node that is alive and otherwise leaves it. ``update(node_id)`` is therefore a heartbeat. Raises as
        ``merge`` does.
        """
    def expire(self, age: float = 86400.0, *, now: float | None = None) -> list[str]:
        """Forgets the members that have been dead, left or banned for ``age`` seconds; returns their ids.

        Keep such tombstones for longer than any node may be cut off: one that comes back with an old
        statement would make them known again. Call it now and then, or churn fills the table.
        """
    def merge_bytes(self, data: bytes, *, now: float | None = None) -> Merged:
        """Joins records: status records, as ``snapshot_bytes`` and ``difference`` write them, and node
        records.

        A status record holds on the authority of whoever sends it: check the packet it came in. Node records
        and beats hold on that of the node itself; of two node records the later one holds, by (incarnation,
        issued_at, digest), of two beats by (incarnation, seq). A later beat also says that the node is alive
        and was heard now. What would change nothing is dropped before its signature is looked at; the rest is verified in
        one batch, and the table is nobody's meanwhile: others may use it. Records of unknown kinds are skipped. The
        interpreter is released.

        Raises DecodeError for malformed bytes, SignatureError when one signature is false and CapacityError
        when there is no room: then nothing was joined. Honest nodes pass on only what they have checked, so
        the fault is the sender's.
        """
    def snapshot_bytes(self) -> bytes:
        """The whole view as records by rising id, without last heartbeats: equal views give equal bytes."""
    @property
    def buckets(self) -> bytes:
        """256 sums of 16 bytes, one for each first byte of an id: to find where two views differ."""
    def difference(self, buckets: bytes) -> bytes:
        """The rows of those buckets whose sums differ from ``buckets``, as records: what the other may lack.

        Two tables agree after each has merged the other's difference. Raises ArgumentError for other than
        4,096 bytes.
        """
    def beat(self, node_id: str | bytes) -> Beat | None:
        """How the node says it is doing, if a beat has come. Beats are no part of ``root`` or
        ``snapshot_bytes``.
        """
    def record(self, node_id: str | bytes) -> NodeRecord | None:
        """What the node says of itself, if its signed record has come."""
    @property
    def root(self) -> bytes:
        """Sixteen bytes that are equal on two tables exactly when all ids, statuses and node records are.

        The sum modulo 2**128 of a keyed BLAKE3 hash per member, kept up with every change. It covers no
        heartbeats.
        """
    def __len__(self) -> int: ...
    def __contains__(self, node_id: str | bytes, /) -> bool: ...

@final
class Merged:
    """What came of ``merge_bytes``."""

    @property
    def news(self) -> bytes:
        """The news as records, ready to be passed on: merged elsewhere it has the same effect as the whole."""
    @property
    def changed(self) -> Members:
        """The rows of which there is news, as they are now."""
    @property
    def equivocations(self) -> list[tuple[NodeRecord, NodeRecord]]:
        """Pairs of different records that a node signed for one moment: proof that it lies to somebody."""

@final
class NodeRecord:
    """What a node says of itself, signed with its key: where it is and what people call it.

    ``issued_at`` (0 to 2**64 - 1) is milliseconds of Unix time by the node's own clock; it orders the node's
    records of one incarnation. ``status`` is alive or left, all that is a node's own to say. ``name`` and
    ``address`` (of the gossip port) are at most 255 bytes of UTF-8 without control characters. Raises
    ArgumentError for anything else. Two records are equal when their bytes are.
    """

    def __new__(
        cls,
        keys: KeyManager,
        incarnation: int,
        issued_at: int,
        *,
        status: Status = "alive",
        name: str = "",
        address: str = "",
        metadata: NodeMetadata | None = None,
    ) -> NodeRecord: ...
    @property
    def node_id(self) -> str:
        """The id of ``public_key``."""
    @property
    def public_key(self) -> bytes: ...
    @property
    def incarnation(self) -> int: ...
    @property
    def status(self) -> Status: ...
    @property
    def issued_at(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def metadata(self) -> NodeMetadata: ...
    def encode(self) -> bytes:
        """The record for ``MembershipTable.merge_bytes``, one's own included: that is how a node announces
        itself.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Beat:
    """How a node is doing, signed with its key: the part of its state that changes all the time.

    ``seq`` (0 to 2**64 - 1) rises within an incarnation. ``load`` (0 to 65,535) is in thousandths of what the
    node can carry, ``sessions`` from 0 to 2**32 - 1, and a node that is ``draining`` takes nothing new.
    Raises ArgumentError for numbers out of range.
    """

    def __new__(
        cls,
        keys: KeyManager,
        incarnation: int,
        seq: int,
        *,
        load: int = 0,
        sessions: int = 0,
        draining: bool = False,
    ) -> Beat: ...
    @property
    def node_id(self) -> str: ...
    @property
    def incarnation(self) -> int: ...
    @property
    def seq(self) -> int: ...
    @property
    def load(self) -> int: ...
    @property
    def sessions(self) -> int: ...
    @property
    def draining(self) -> bool: ...
    def encode(self) -> bytes:
        """The beat for ``MembershipTable.merge_bytes``, one's own included."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class MessageCache:
    """Which messages have been seen: remembers at least the last ``capacity`` different ids, never more than
    twice that.

    An id is whatever names a message, ``bytes`` or ``str`` (its UTF-8 form) of any length; 128 bits of its
    BLAKE3 hash are kept. A ``capacity`` is from 1 to 2**26; choose messages per second times the seconds a
    copy may still arrive. All memory is taken at the start: 39 to 78 bytes for each id of ``capacity``. Raises
    ArgumentError outside these, and CapacityError when the system has not as much memory.

    Track a message only after its sender has been authenticated, or a stranger could claim ids before their
    owner.
    """

    def __new__(cls, capacity: int = 65536) -> MessageCache: ...
    @property
    def capacity(self) -> int: ...
    def is_duplicate(self, msg_id: bytes | str) -> bool:
        """Whether the id has been tracked. Changes nothing."""
    def track(self, msg_id: bytes | str) -> bool:
        """Remembers the id as the latest. True if it was new, so that one call both asks and remembers."""
    def track_many(self, msg_ids: Sequence[bytes]) -> list[bool]:
        """What ``track`` says for each in turn, with the interpreter released."""
    def clear(self) -> None:
        """Forgets everything."""
    def __len__(self) -> int:
        """How many ids are held."""
    def __contains__(self, msg_id: bytes | str, /) -> bool: ...

@final
class FanoutStrategy:
    """Picks gossip targets from a random sequence of its own.

    The same ``seed`` (0 to 2**64 - 1) and calls give the same picks on every platform; without one the
    operating system gives it.
    """

    def __new__(cls, *, seed: int | None = None) -> FanoutStrategy: ...
    def select_targets(
        self, nodes: Iterable[_T], k: int, *, weights: Sequence[float] | None = None
    ) -> list[_T]:
        """``k`` different elements of ``nodes``, or all if there are no more; every set of k is equally
        likely.

        O(k) for a list (Floyd's method); anything else is made a list first. The order of the picks means
        nothing. Leave your own node out of ``nodes``.

        With ``weights``, one for each node, a larger one is picked more often and earlier, and 0 never: O(n)
        (Efraimidis and Spirakis, 2006).

        Raises ArgumentError when ``k`` is negative, a weight is negative or not finite, or their number is
        another than that of the nodes.
        """

@final
class GossipStrategy:
    """Picks the peers of a node that runs at ``place``; delegates to FanoutStrategy.

    With a zone, ``k - 1`` peers are of the own region and zone and one is of another, so that a rumour
    spreads where it is cheap and still leaves the zone every round; where one side has too few, the other
    fills up. A single peer is of another zone one time in four. Without a zone any peer is as likely as any
    other.

    Only ``Node`` objects say where they run; list anything else and it counts as another zone.
    """

    def __new__(cls, place: NodeMetadata | None = None, *, seed: int | None = None) -> GossipStrategy: ...
    def select_peer(self, node_list: Iterable[_T]) -> _T | None:
        """One peer of ``node_list``, None if it is empty. Leave your own node out of it."""
    def select_peers(
        self, node_list: Iterable[_T], k: int, *, weights: Sequence[float] | None = None
    ) -> list[_T]:
        """``k`` different peers, or all if there are no more. With ``weights``, within the own zone and outside of it as
        FanoutStrategy picks. Raises as that does.

        O(k) for a list without a zone and weights, O(n) with either.
        """

@final
class GossipBackoff:
    """Decides when not to send to a peer: a rate for each, and pauses that double while it does not answer.

    ``rate`` (messages a second) and ``burst`` (messages at once after a quiet time, 1 to 2**32 - 1) make a
    token bucket for each peer. After a failure the peer is left alone for a random time between nothing and
    ``base`` seconds, doubled with each further failure up to ``cap`` (full jitter, Brooker 2015). Both should
    stay below the time in which a failed peer must be found back. Probes do not ask: they find that out.

    A peer takes about 45 bytes; ``max_nodes`` bounds them. Raises ArgumentError when a number is not above
    zero.
    """

    def __new__(
        cls,
        *,
        rate: float = 20.0,
        burst: int = 10,
        base: float = 0.2,
        cap: float = 30.0,
        max_nodes: int = 1048576,
        seed: int | None = None,
    ) -> GossipBackoff: ...
    def should_send(self, to_node_id: str | bytes, *, now: float | None = None) -> bool:
        """Whether a message may go to the peer now. If so it has been counted: send it.

        Raises CapacityError for a new peer when ``max_nodes`` are followed; ``forget`` those that are gone.
        """
    def record_failure(self, to_node_id: str | bytes, *, now: float | None = None) -> float:
        """Notes that the peer did not answer; returns the pause in seconds. Raises as ``should_send``."""
    def record_success(self, to_node_id: str | bytes) -> None:
        """Notes that the peer answered: its pause ends and the next failure starts small again."""
    def forget(self, node_id: str | bytes) -> bool:
        """Forgets a node that is gone. Whether it was known."""

@final
class BroadcastBuffer:
    """Changes waiting to be spread: the most urgent and least told first, each told a bounded number of
    times.

    Each is told 4 · ⌈log10(``members`` + 1)⌉ times (SWIM §4.1 with memberlist's factor), then dropped: set
    ``members`` to the size of the cluster. Of the priorities refutation, gone, suspect, alive and application
    the first go first; within one those told least often, then the oldest. A newer change of the same subject
    takes the place of the older.

    ``capacity`` (1 to 2**32 - 2) bounds the changes and 1,050 bytes each, which with an envelope fit into a
    datagram of 1,200. Raises ArgumentError outside these.
    """

    def __new__(cls, capacity: int = 65536, *, members: int = 1) -> BroadcastBuffer: ...
    @property
    def members(self) -> int: ...
    @members.setter
    def members(self, value: int, /) -> None: ...
    @property
    def transmit_limit(self) -> int:
        """How often each change is told."""
    def add_change(self, subject: str | bytes, data: bytes, priority: Priority = "alive") -> bool:
        """Queues ``data`` in place of what was queued for ``subject``: a node id, or any 16 bytes.

        In a full buffer it takes the place of the least urgent change that has been told most often. False if
        all held are more urgent: then nothing was changed.
        """
    def add_news(self, news: bytes, self_node_id: str | bytes) -> None:
        """Queues each record of ``Merged.news`` by its status; saying that ``self_node_id`` is alive goes
        first.

        A node's status, its record and its beat are separate changes, also from those of ``add_change``;
        beats have the priority application. Raises DecodeError for malformed bytes: then nothing was queued.
        """
    def next_batch(self, max_bytes: int = 1050) -> list[bytes]:
        """The changes for one packet, together at most ``max_bytes``; they count as told once more.

        Those that do not fit are passed over, up to 16, in favour of later ones that do.
        """
    def withdraw(self, subject: str | bytes) -> bool:
        """Drops what ``add_change`` queued for ``subject``. Whether there was any."""
    def __len__(self) -> int: ...

@final
class FailureDetector:
    """Judges how surprising a node's silence is, by its own rhythm (φ-accrual, Hayashibara et al. 2004).

    φ is −log10 of the probability that a heartbeat still comes this late: 0.3 when one is just due, 1 when
    one in ten comes later, 8 when one in 10**8 does. The rhythm is that of about the last 32 heartbeats;
    before the second one it is ``expected_interval`` seconds. A node is suspicious from ``threshold`` on:
    lower finds faster, higher errs less; 5 to 12 is sensible. Suspicion ranks nodes for probing and routing;
    alone it is no proof that a node is dead. Deviations below a quarter of the rhythm or 0.1 seconds count as
    these (as Akka's min-std-deviation): a burst of heartbeats makes no hiccup of a scheduler suspicious.

    A node takes about 45 bytes; ``max_nodes`` bounds them. Raises ArgumentError when a number is not above
    zero.
    """

    def __new__(
        cls, *, threshold: float = 8.0, expected_interval: float = 1.0, max_nodes: int = 1048576
    ) -> FailureDetector: ...
    def record_heartbeat(self, node_id: str | bytes, *, now: float | None = None) -> None:
        """Notes that the node was heard; a time before its last heartbeat is ignored.

        Raises CapacityError for a new node when ``max_nodes`` are followed; ``forget`` those that are gone.
        """
    def check_suspicion(self, node_id: str | bytes, *, now: float | None = None) -> bool:
        """Whether the node's silence is suspicious. False for a node never heard: nothing is known against
        it.
        """
    def phi(self, node_id: str | bytes, *, now: float | None = None) -> float:
        """φ, from 0.0 on; 0.0 for a node never heard."""
    def suspects(self, *, now: float | None = None) -> list[str]:
        """All suspicious nodes, the most suspicious first."""
    def shift(self, pause: float) -> None:
        """After this process stood still for ``pause`` seconds: nobody is blamed for them."""
    def forget(self, node_id: str | bytes) -> bool:
        """Forgets a node that is gone. Whether it was known."""
    def __len__(self) -> int: ...

@final
class KeyManager:
    """Holds a node's Ed25519 key (RFC 8032) and signs with it.

    ``seed`` is the 32-byte private key; without one the operating system gives it. Raises ArgumentError for
    another size. ``repr`` shows the node id, never the key.

    A signature is valid when the cofactored equation of RFC 8032 §5.1.7 holds, ``s`` is below the group
    order, and ``R`` and the key are canonical and not of small order: one rule, whether verified alone or in
    a batch.
    """

    def __new__(cls, seed: bytes | None = None) -> KeyManager: ...
    @property
    def node_id(self) -> str:
        """32 hex digits: the first 16 bytes of BLAKE3 of the public key."""
    @property
    def public_key(self) -> bytes:
        """32 bytes."""
    def get_private_key(self) -> bytes:
        """The 32-byte seed. Whoever has it is this node."""
    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature over ``data``, the same every time. The interpreter is released meanwhile."""
    def verify_signature(self, data: bytes, signature: bytes, public_key: bytes | None = None) -> bool:
        """Whether ``signature`` over ``data`` was made with ``public_key``, or with the own key if that is
        left out.

        A signature or key that is none, has another size or was revoked is not valid. The interpreter is
        released meanwhile. After a hundred signatures of a trusted key a table of 30 KiB is made of it, which
        takes a millisecond and saves a third of every further one; 256 keys can have one.
        """
    def verify_batch(self, items: Sequence[tuple[bytes, bytes, bytes]]) -> list[bool]:
        """What ``verify_signature`` says for each ``(data, signature, public_key)``, in about half of the
        time.

        All are checked in one equation; if it fails, halves are tried until the false ones are found. The
        interpreter is released meanwhile. Keys that are trusted have been decompressed already, which saves
        another fifth.
        """
    def rotate(self, seed: bytes | None = None) -> None:
        """Goes on with a new key, and so under a new node id.

        ``verify_signature`` without a key still takes what the last four keys signed, so that others have
        time to learn the new one. Raises ArgumentError for a seed of another size.
        """
    def trust(self, public_key: bytes) -> bool:
        """Trusts a key from now on, one of 65,536. False if it was revoked: nothing undoes that.

        Trust is for your own admission to ask about: ``verify_signature`` only asks whether a key was
        revoked. Raises ArgumentError for bytes that are no key and CapacityError.
        """
    def revoke(self, public_key: bytes) -> None:
        """Takes no signature of this key for valid any more, be it the own. Raises as ``trust`` does."""
    def is_trusted(self, public_key: bytes) -> bool:
        """Whether a key is the own one or trusted, and not revoked."""

@final
class GossipEnvelope:
    """How gossip is wrapped: a packet, signed by its sender. The layout is in ``rust/core/src/envelope.rs``.

    ``type`` (0 to 255) says what the payload is; its meaning is the caller's, except that 1 is a
    GossipMessage. ``payload`` is at most 1 MiB; the packet is 144 bytes longer, and a datagram should stay
    within 1,200 bytes. ``cluster`` is the cluster's name: packets of another are refused. ``epoch`` rises
    with every start of the sender and ``seq`` with every packet (0 to 2**64 - 1), so that a ReplayGuard can
    tell what is new. Raises ArgumentError for a longer payload.
    """

    def __new__(
        cls, type: int, payload: bytes, keys: KeyManager, *, cluster: str = "", epoch: int = 0, seq: int = 0
    ) -> GossipEnvelope: ...
    @staticmethod
    def decode(data: bytes, *, cluster: str = "", verify: bool = True) -> GossipEnvelope:
        """Reads a packet: length, magic, version, algorithm, cluster and then the signature.

        With ``verify=False`` the signature is left to you: a ReplayGuard's answer is cheaper, but count a
        packet as taken only after ``verify`` has said that it is the sender's. Raises DecodeError or
        SignatureError.
        """
    def encode(self) -> bytes:
        """The packet."""
    def verify(self) -> bool:
        """Whether the signature is that of the key, and the key that of the sender."""
    @property
    def type(self) -> int: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def signature(self) -> bytes: ...
    @property
    def public_key(self) -> bytes: ...
    @property
    def sender_id(self) -> str: ...
    @property
    def epoch(self) -> int: ...
    @property
    def seq(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class GossipMessage:
    """What is said: one node's view of the cluster, signed and in an envelope.

    Last heartbeats are times of a local clock and stay at home: in a message they are 0.0. A view of more
    than 38,836 members does not fit into one envelope and raises ArgumentError; send ``difference`` instead.
    """

    def __new__(
        cls,
        membership_snapshot: Members,
        keys: KeyManager,
        *,
        cluster: str = "",
        epoch: int = 0,
        seq: int = 0,
    ) -> GossipMessage: ...
    @staticmethod
    def decode(data: bytes, *, cluster: str = "", verify: bool = True) -> GossipMessage:
        """Reads a message; as GossipEnvelope.decode. DecodeError when the envelope holds something else."""
    def encode(self) -> bytes:
        """The packet."""
    @property
    def sender_id(self) -> str: ...
    @property
    def membership_snapshot(self) -> Members:
        """For ``MembershipTable.merge``: a new dict each time."""
    @property
    def signature(self) -> bytes: ...
    @property
    def envelope(self) -> GossipEnvelope: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class ReplayGuard:
    """Takes each packet of each sender once: a window of 1,024 numbers for each (RFC 4303, §3.4.3).

    Ask only for packets that have been authenticated. A sender takes about 170 bytes; ``max_senders`` (at
    least 1) bounds them.
    """

    def __new__(cls, *, max_senders: int = 65536) -> ReplayGuard: ...
    def accept(self, sender_id: str | bytes, epoch: int, seq: int) -> bool:
        """Whether the packet is new; then it counts as taken.

        False for an epoch before the sender's latest, a number 1,024 or more behind the newest, and one that
        was taken before. Raises CapacityError for a new sender when ``max_senders`` are known.
        """
    def forget(self, sender_id: str | bytes) -> bool:
        """Forgets a sender whose key is trusted no more; its old packets would count as new. Whether it was
        known.
        """
    def __len__(self) -> int: ...

@final
class PairwiseLinks:
    """Encrypted packets between nodes that have greeted each other: cheaper than signatures, and secret.

    Each node draws an X25519 key for its ``epoch``, which rises with every start, and sends it signed as
    ``hello``: in any order, as often as you like, no answer needed. Whoever has greeted and been greeted can
    ``seal`` and ``open`` (ChaCha20-Poly1305, RFC 8439, a key for each direction). The drawn key is kept in
    memory only: whoever later steals the identity cannot read what was sent.

    ``cluster`` is the cluster's name: greetings and packets of another are refused. A peer takes about 500
    bytes; ``max_peers`` (at least 1) bounds them. What this protects against and what not: docs/pairwise-links.md.
    """

    def __new__(
        cls, keys: KeyManager, *, cluster: str = "", epoch: int = 0, max_peers: int = 65536
    ) -> PairwiseLinks: ...
    @property
    def hello(self) -> bytes:
        """The own greeting, 152 bytes: send it to whomever you want to talk to."""
    @property
    def node_id(self) -> str: ...
    @staticmethod
    def greeter(hello: bytes, *, cluster: str = "") -> bytes:
        """The public key of who says to greet, to ask your own admission before ``establish``."""
    def establish(self, hello: bytes) -> str:
        """Takes a greeting and returns the node id of who greets. Ask your own admission whether you want to.

        The same greeting again changes nothing and one of a later epoch replaces the link. Raises DecodeError
        for other bytes, SignatureError when the greeting is not signed by whom it says, not later than the
        one held, or one's own, ArgumentError for a weak key, and CapacityError.
        """
    def seal(self, peer_id: str | bytes, payload: bytes, *, type: int = 1) -> bytes:
        """A packet for the peer, 64 bytes longer than ``payload``, which has at most 1 MiB.

        Raises SignatureError when the peer has not greeted, and ArgumentError in a process that was forked
        off later: parent and child would use the same nonces. The interpreter is released meanwhile.
        """
    def open(self, packet: bytes) -> Opened | None:
        """Opens a packet of a peer; None if it was taken before or is 1,024 or more behind the newest.

        The window is that of one sender in one epoch (RFC 4303, §3.4.3), and only what is authentic counts as
        taken. Raises DecodeError for what is no packet of the cluster, and SignatureError when it was
        changed, or sealed by somebody, or in an epoch, that has not greeted. The interpreter is released
        meanwhile.
        """
    def forget(self, peer_id: str | bytes) -> bool:
        """Drops the link with a node that is gone. Whether there was a link. What was taken of it is remembered
        for the last ``max_peers`` nodes, so that greeting again does not make old packets new.
        """
    def is_confirmed(self, peer_id: str | bytes) -> bool:
        """Whether a packet of the peer has been opened: that proves that it is there and has taken our
        greeting, which an old greeting sent again by somebody does not.
        """
    def __len__(self) -> int: ...
    def __contains__(self, peer_id: str | bytes, /) -> bool: ...

@final
class Opened:
    """A packet that came from ``sender_id``, unchanged and for the first time."""

    @property
    def sender_id(self) -> str: ...
    @property
    def type(self) -> int: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def epoch(self) -> int: ...
    @property
    def seq(self) -> int:
        """One counter for all peers of the sender: numbers rise, with gaps."""

@final
class ClusterDriver:
    """A cluster node on a native thread of its own, which never touches Python.

    The thread has UDP and TCP on one port, the clock, the disk, and the engine of docs/gossip.md. It answers probes
    whatever Python does; what it has to tell waits in a bounded queue behind ``fd``:

        driver.start("127.0.0.1:0", seeds=["127.0.0.1:7946"])
        loop.add_reader(driver.fd, lambda: [take(event) for event in driver.drain()])

    ``keys`` are the node's identity. ``authorities`` (public keys, 32 bytes each) admit whoever has a ticket of one of
    them, ``ticket`` (72 bytes) is this node's own; ``allowed_keys`` admit the listed, and then ``administrators`` are
    whose bans count. With neither, everybody may join, and ``start`` binds nothing but the loopback.

    ``state_dir`` (made with mode 0700, locked) keeps the ceiling of incarnations and the membership; a node that comes
    back with it asks whom it knew. ``settings`` are those of ``EngineConfig`` in rust/core/src/engine/config.rs by
    name, in seconds (a millisecond to ten years) or counts. ``queue`` (1 to 65,536) is how many broadcasts wait for
    a slow Python; changes of the view are never lost (docs/gossip.md, "The driver, from Python").

    ``blocked_after`` and ``leave_after`` are for a loop that calls ``beat`` each second: so many seconds without make
    the node say that it is draining, and finally leave (None: never). The first must exceed the longest stall that is
    normal, garbage collection included; the second is how long sessions are better lost than stuck.

    Every call may come from any thread and waits without the interpreter. All raise StoppedError before ``start`` and, but
    for ``drain``, ``fd``, ``beat``, ``address``, ``counters`` and ``close``, after the end. A forked child has no thread:
    there it is over. Raises ArgumentError for a setting that cannot work.
    """

    def __new__(
        cls,
        keys: KeyManager,
        *,
        cluster: str = "palaver",
        name: str = "",
        metadata: NodeMetadata | None = None,
        state_dir: str | PathLike[str] | None = None,
        authorities: Sequence[bytes] | None = None,
        allowed_keys: Sequence[bytes] | None = None,
        administrators: Sequence[bytes] | None = None,
        ticket: bytes | None = None,
        settings: dict[str, float] | None = None,
        queue: int = 4096,
        blocked_after: float = 3.0,
        leave_after: float | None = 30.0,
    ) -> ClusterDriver: ...
    def start(self, bind: str, *, advertise: str | None = None, seeds: Sequence[str] = ()) -> None:
        """Reads the disk, binds ``IP:PORT`` for UDP and TCP, and begins to greet ``seeds`` (64 count).

        Port 0 takes one that is free for both; ``address`` says which. ``advertise`` is where others reach the node, if that
        is elsewhere; it must be given where all interfaces are bound. Raises ArgumentError for other addresses (names
        must be looked up before), for one others could reach where nobody decides who may join, and when started
        before; OSError when the port is taken (EADDRINUSE), the disk fails, or somebody else has ``state_dir`` open
        (BlockingIOError); DecodeError when the reserved incarnation is damaged. Nothing is left behind.
        """
    @property
    def node_id(self) -> str: ...
    @property
    def address(self) -> str:
        """``IP:PORT`` that is bound."""
    @property
    def advertised(self) -> str:
        """``IP:PORT`` that others are told."""
    @property
    def fd(self) -> int:
        """Readable while events wait (eventfd(2)); belongs to the driver."""
    @property
    def incarnation(self) -> int:
        """How often this node has answered for itself: 2**16 × the Unix seconds of its start, or above its disk's."""
    def drain(self) -> list[Event]:
        """Takes the events that wait, in order. Never waits."""
    def beat(self) -> None:
        """A sign of life of the Python side: call it each second from the loop. The watch begins with the first."""
    def members(self) -> list[Member]:
        """All that are known by rising id: this node, the gone too, until they are forgotten."""
    def member(self, node_id: str | bytes) -> Member | None:
        """One of them."""
    def status(self, node_id: str | bytes) -> Status | None:
        """How a member stands, None if it is unknown."""
    def rtt(self, node_id: str | bytes) -> float | None:
        """The smoothed round-trip time to the zone of the member in seconds (RFC 6298), None if nothing is known."""
    def reachability(self) -> Reachability: ...
    def counters(self) -> dict[str, float]:
        """What has happened so far, for metrics; after the end as it was then.

        Of the engine: ``received, refused, throttled, bad_signatures, sent, sent_bytes, streams, stream_bytes, probes,
        probes_failed, accusations, refutations, syncs, records``. Of the driver: ``received_bytes, unsent,
        streams_received, streams_failed, connections_dropped, broadcasts_lost, log_bytes_lost``, ``connections`` that are
        open, and ``cpu_seconds`` that the thread has computed.
        """
    def root(self) -> bytes:
        """Sixteen bytes that are equal on two nodes exactly when their views are."""
    def set_vitals(self, *, load: int = 0, sessions: int = 0, draining: bool = False) -> None:
        """How the node is doing: ``load`` in thousandths of what it can carry (0 to 65,535). Rides on every probe; a
        marked change is spread to all."""
    def set_metadata(self, name: str, metadata: NodeMetadata) -> None:
        """Changes name and place; others learn it by gossip. Raises ArgumentError for a name above 255 bytes."""
    def join(self, seeds: Sequence[str]) -> None:
        """Greets these ``IP:PORT`` in place of the seeds before, until one has answered."""
    def broadcast(self, payload: bytes, *, urgent: bool = False) -> None:
        """Spreads at most 850 bytes, signed, to every member, each once. ``urgent`` goes before all but refutations: for
        revocations and bans. Raises ArgumentError when it is longer, CapacityError while so much waits to be told that it
        would push out what was accepted before."""
    def set_admission(
        self,
        *,
        authorities: Sequence[bytes] | None = None,
        allowed_keys: Sequence[bytes] | None = None,
        administrators: Sequence[bytes] | None = None,
        ticket: bytes | None = None,
    ) -> None:
        """Says anew who may join, and tells others a new ``ticket`` of this node if there is one.

        Members stay until their record is signed anew, within about two and a half hours: whoever is to go at once is
        banned. Raises ArgumentError where it would let everybody in and the node can be reached from other machines.
        """
    def ban(self, ban: bytes) -> None:
        """Takes what ``sign_ban`` made and spreads it: the key can never come back. Raises SignatureError, DecodeError or
        ArgumentError when it is not for this cluster, false, or not by an administrator."""
    def force_leave(self, node_id: str | bytes) -> None:
        """Takes an unreachable member for dead now. Nothing happens to one that still answers."""
    def leave(self, timeout: float = 5.0) -> bool:
        """Says goodbye and waits for at most ``timeout`` seconds until it is heard; whether it is over.

        With 0 it only begins; ``Stopped`` follows in any case, by the engine's ``leave_timeout`` at the latest.
        """
    def close(self) -> None:
        """Ends the node without a goodbye and waits until its files and sockets are closed. Safe to call twice."""
    def __enter__(self) -> ClusterDriver: ...
    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
        /,
    ) -> None: ...

@final
class ProductionNode:
    """The local participant without sockets, thread or disk: the engine of docs/gossip.md, for embedding and tests.

    Whoever has it carries what ``send_gossip`` gives and hands on what comes to ``receive_gossip``, or lets two nodes of
    one process ``gossip_to`` each other. ``address`` (IP:PORT) is where that is; left out, it is one of the loopback made
    from the id. ``now`` may be given everywhere; a time before the latest counts as that. ``seed`` makes all that is
    random follow from it, and so guessable: only for tests. ``unix_time`` is the wall clock at ``now``, the system's if
    left out; it goes on with ``now``. The other arguments are those of ClusterDriver; here nothing is bound, so admission
    is left to you.
    """

    def __new__(
        cls,
        name: str = "",
        keys: KeyManager | None = None,
        *,
        address: str | None = None,
        metadata: NodeMetadata | None = None,
        cluster: str = "palaver",
        authorities: Sequence[bytes] | None = None,
        allowed_keys: Sequence[bytes] | None = None,
        administrators: Sequence[bytes] | None = None,
        ticket: bytes | None = None,
        settings: dict[str, float] | None = None,
        seed: int | None = None,
        now: float | None = None,
        unix_time: float | None = None,
    ) -> ProductionNode: ...
    @property
    def name(self) -> str: ...
    @property
    def node_id(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def incarnation(self) -> int:
        """It begins at 2**16 × Unix seconds and rises by one with each refutation."""
    @property
    def status(self) -> Status:
        """What this node is in its own view: alive, left or banned."""
    @property
    def membership(self) -> Members:
        """The view, ``{id: (incarnation, status, last_heartbeat)}``: a new dict each time."""
    @property
    def metrics(self) -> dict[str, int]:
        """The engine's counters, as ClusterDriver.counters names them."""
    @property
    def root(self) -> bytes:
        """Sixteen bytes that are equal on two nodes exactly when their views are."""
    def members(self) -> list[Member]:
        """All that are known by rising id, this node among them."""
    def update_status(
        self,
        status: Status | None = None,
        *,
        load: int | None = None,
        sessions: int | None = None,
        draining: bool | None = None,
        now: float | None = None,
    ) -> Status:
        """Says how this node is and returns its status. What is None stays as it is.

        ``status="left"`` says goodbye: go on carrying its packets until ``Stopped`` is among the events. Raises
        ArgumentError for a status that only others can give, and StoppedError after the end.
        """
    def join(self, addresses: Sequence[str], *, now: float | None = None) -> None:
        """Greets ``IP:PORT`` of seeds until one answers."""
    def gossip_to(self, other: ProductionNode, *, now: float | None = None) -> bool:
        """Exchanges all that both know with a node of the same process, as a bulk sync does; whether a view changed.

        All checks are made: what is not signed, or not admitted, is not taken. Packets for each other that wait are
        delivered too. Raises StoppedError once one of them has ended: its goodbye is over, or it is banned.
        """
    def send_gossip(self, *, now: float | None = None) -> list[tuple[str, bytes, bool]]:
        """Does what is due and takes all packets to be sent: ``(address, payload, stream)``.

        A datagram has at most 1,200 bytes; a stream message, up to about 300 KiB, must be delivered whole or not at
        all. At most 4,096 wait, then the oldest are lost.
        """
    def receive_gossip(
        self, payload: bytes, from_address: str, *, stream: bool = False, now: float | None = None
    ) -> bool:
        """Takes a packet that came; whether it was accepted. Bad ones are counted and change nothing.

        Answers wait for ``send_gossip``. Raises ArgumentError for an address that is none.
        """
    def heartbeat(self, *, now: float | None = None) -> float | None:
        """Does what is due, probes for example, and returns when to call it again; None after the end."""
    def broadcast(self, payload: bytes, *, urgent: bool = False, now: float | None = None) -> None:
        """Spreads at most 850 bytes to every member, each once. Raises ArgumentError, CapacityError and StoppedError."""
    def drain(self) -> list[Event]:
        """Takes the events that wait, in order; at most the latest 4,096 do."""
    def print_membership(self) -> None:
        """Prints a line for each member, the own with a star."""

@final
class WriteAheadLog:
    """Durable changes in a file: ``append`` before you acknowledge, ``replay`` after a crash.

    ``policy`` says when written changes are forced to the disk (fdatasync). ``always``: before ``append``
    returns, so that nothing acknowledged is ever lost. ``interval``: within ``interval`` seconds, by a thread of the
    log's own, and whenever you call ``sync``; losing power loses at most what came since, a killed process loses
    nothing. An append waits for the disk when something older than ``interval`` does, because the disk is slow or the
    process a forked child, which has no such thread. ``never``: when the system likes.

    ``first_seq`` is the number that the first change of a new log gets: give the ``seq`` of the loaded State
    plus 1. A log whose changes all come before it is contained in that State and begins anew.

    The file is locked (``path.lock``), made readable by its owner only, and mended when opened. A last frame that
    was not written to its end is cut off: ``torn_bytes`` says how much. A bad frame with good ones behind it
    means that the medium lost acknowledged changes: the file is kept as ``path.corrupt-N`` (``quarantined``),
    the changes before the bad frame stay, the others must be recovered from peers. So is a file whose head is
    bad, and an empty one: a log gets its name with its head in it.

    Raises ArgumentError for an unknown policy, a change above 1 MiB or an empty path, and OSError when the disk is full,
    fails, or somebody else has the log open (BlockingIOError). An append that raises was not acknowledged.
    After a failed fsync, a write that could not be undone or a ``reset`` that failed half-way, every call
    raises until the log is opened again: a later fsync would succeed without having written what was lost.
    Opening writes and syncs the log once, so that what ``replay`` shows is on the disk.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        policy: Literal["always", "interval", "never"] = "interval",
        interval: float = 0.2,
        first_seq: int = 1,
    ) -> WriteAheadLog: ...
    @property
    def path(self) -> str: ...
    @property
    def torn_bytes(self) -> int:
        """How many bytes of an unfinished frame were cut off when the log was opened."""
    @property
    def quarantined(self) -> str | None:
        """Where the corrupt file is kept, if it was corrupt when the log was opened."""
    @property
    def next_seq(self) -> int:
        """The number that the next change gets; they rise by one, also over ``reset``."""
    @property
    def is_synced(self) -> bool:
        """Whether all that was appended has been forced to the disk."""
    def append(self, change: bytes, *, kind: int = 0) -> int:
        """Writes one change and returns its number. ``kind`` (0 to 255) is yours to give a meaning."""
    def append_many(self, changes: Sequence[bytes], *, kind: int = 0) -> None:
        """Writes all changes or none, with one system call and at most one fsync.

        Raises ArgumentError for more than 64 MiB together, with 17 bytes for each change.
        """
    def replay(self) -> list[tuple[int, int, bytes]]:
        """All changes as ``(seq, kind, change)``, in order."""
    def sync(self) -> None:
        """Forces what was written to the disk. Other threads can append meanwhile."""
    def reset(self) -> None:
        """Begins the log anew, when a saved State contains all its changes. Durable when it returns."""
    def close(self) -> None:
        """Syncs, closes and unlocks."""
    def __enter__(self) -> WriteAheadLog: ...
    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
        /,
    ) -> None: ...

@final
class StateStore:
    """Persistence of the view and of the own incarnation, in a directory of its own.

    The directory is made if need be (mode 0700) and locked; files are readable by their owner only. Raises
    OSError when the disk is full or fails, or somebody else has the store open (BlockingIOError), ArgumentError
    for an empty path, and DecodeError when the file of the reserved incarnation is damaged.
    """

    def __new__(cls, directory: str | PathLike[str]) -> StateStore: ...
    @property
    def directory(self) -> str: ...
    def save_membership(self, table: MembershipTable, *, seq: int = 0) -> None:
        """Saves the view durably: a new file, fsync, rename, fsync of the directory. The one before is kept.

        When the disk is full or fails before the rename, both saved views are as they were.

        ``seq`` is the number of the last change of a WriteAheadLog that is in the table; ``reset`` the log
        afterwards.
        """
    def load_state(self) -> State | None:
        """The saved view, the one before if that is damaged, None if there is neither.

        Raises DecodeError when there are only damaged ones: begin with an empty table and recover from peers.
        """
    def first_incarnation(self, *, unix_time: float | None = None) -> int:
        """The incarnation to begin a life with, durably reserved together with the 1,024 after it.

        Above every one that an earlier life may have used, and at least Unix seconds × 2**16, which makes up
        for a lost disk. ``unix_time`` (at most 2**45 - 1) is the system's if left out. Raises CapacityError when
        the last incarnation, 2**61 - 1, has been reserved before.
        """
    def cover_incarnation(self, incarnation: int) -> None:
        """Call it before you use a higher incarnation, for example to refute: one write for each 1,024.

        Raises ArgumentError above 2**61 - 1.
        """
    def close(self) -> None:
        """Unlocks."""

@final
class State:
    """A view that was saved."""

    @property
    def snapshot(self) -> bytes:
        """For ``MembershipTable.merge_bytes``."""
    @property
    def seq(self) -> int:
        """Changes of the log up to this number are contained."""
    @property
    def is_previous(self) -> bool:
        """Whether this is the one before the last, because that is damaged or was being replaced."""

def first_bad_sdp_line(sdp: str, /) -> int | None:
    """The number, from 1, of the first line of an SDP that is not <type>=<value> (RFC 8866 § 5); None where all are.

    Line 1 is v=0 and has an end. Lines end with CRLF or LF, the last may go without; a value has no CR, LF or NUL.
    0.3 µs for 2 KB, where regular expressions take 6 to 8. Raises UnicodeEncodeError for lone surrogates.
    """

def is_sound_sdp(encoded: bytes, max_bytes: int, is_msgpack: bool, /) -> bool:
    """Whether an SDP that is still a string of JSON or MessagePack can be passed on as it stands.

    Its string is well-formed (RFC 8259 § 7; UTF-8), all of its lines are ``<type>=<value>`` and it has at most
    ``max_bytes``. False also for what would need a closer look: a ``\\u`` escape, or 64 KiB of MessagePack. 0.3 µs for 2 KB.
    """

def json_shape(message: bytes, levels: int, /) -> int:
    """What one pass over a JSON message shows before it is decoded: 0 for nearly all. 0.1 µs for 2 KB.

    Bit 1 is set where a text in it may break a rule: it has an escape, DEL, or what is not ASCII. Bit 2, where it may nest
    deeper than ``levels``: it has more brackets that open, those in strings included.
    """

@final
class LogTail:
    """The newest entries of a log, bounded by their number and bytes. Not thread-safe.

    An entry is any object; or a frame and whom it is for, which is kept as bytes in a ring with all others: a thousand frames as
    single objects cost the memory allocator and the caches ten times as much, each long cold when it goes.
    """

    def __new__(cls, max_entries: int, max_bytes: int) -> LogTail: ...
    def append(self, entry: object, size: int, /) -> None:
        """Appends an entry that counts as so many bytes. Raises OverflowError or ValueError for sizes that no memory holds."""

    def append_frame(self, frame: bytes, to: str, /) -> None:
        """Appends a frame; memory grows by a sixteenth. 0.15 µs for 2 KB."""

    def shorten(self, entries: int, /) -> None:
        """Forgets the oldest until there are no more than so many. With the last one the memory goes as well."""

    def newest(self, count: int, /) -> list[Any]:
        """The newest so many, oldest first, or all there are: entries as they came, frames as (to, frame). O(count)."""

    def __len__(self) -> int: ...

@final
class RelayRun:
    """What one peer passes on to another: an SDP, or the candidates of one or more messages, as they stand there."""

    def __len__(self) -> int:
        """How many messages."""

    @property
    def replies(self) -> int:
        """How many of them are requests, which are answered."""

    def frames(self, tail: LogTail, sender: str, to: str, epoch: int, seq: int, prev: int, /) -> bytes:
        """The events that tell the receiver, each a whole text frame of a server (RFC 6455 § 5.2), one behind the other. 0.2 µs
        for 2 KB. Each is appended to ``tail`` as well, as one for ``to``.

        ``sender`` is a peer id, of characters that JSON does not escape; ``epoch``, ``seq`` and ``prev`` are the place of the
        first in its room, the others follow. Raises ValueError above 64 KiB each; nothing has changed then.
        """

def read_relays(
    messages: list[bytes], start: int, max_sdp_bytes: int, max_bytes: int, /
) -> tuple[str, bytes | None, str, str, int, RelayRun] | None:
    """Reads the JSON request ``messages[start]`` if it passes an SDP or candidates on to a peer: sdpOffer, sdpAnswer,
    iceCandidate with ``to``. Candidates that follow for the same connection, generation and peer, in messages of at most
    ``max_bytes``, are read with it: 16 messages at most.

    Returns method, the replies that they were taken, as frames one behind the other (None: all are notifications), transport,
    receiver, generation, and what is to be passed on, all checked. None for all other messages, and for what needs a closer look:
    an error, a field that stands twice, an unknown one whose value is more than a word or a whole number, a name that is not
    printable ASCII, an SDP above ``max_sdp_bytes`` as it is encoded, anything above 48 KiB. 1.5 µs for 2 KB. Raises IndexError
    where there is no such message.
    """

def rendezvous(key: bytes | str, weights: dict[str, int], count: int = 1) -> list[str]:
    """The owner of ``key`` among the nodes of ``weights``, then its successors: at most ``count`` node ids.

    Weighted rendezvous hashing: every node computes the same order from the same members, without talking. A
    node is first with a probability proportional to its weight (0 to 2**32 - 1, 0 never); one that comes or
    goes moves only the keys it gains or loses. O(n): ask again only when the members change. Raises
    ArgumentError for a bad id, weight or count.
    """

@disjoint_base
class Outbox:
    """What waits to be written to one client: frames in order, joined into few writes, counted in bytes. To be inherited.

    Whoever inherits keeps `descriptor` and `is_clear` true to the socket, overrides `admit_frame`, and does with a transport what
    `Outboxes.flush` leaves to it. Not for several threads. 0.1 µs for a frame in, and little more than its send(2) for it out.
    """

    def __new__(cls, outboxes: Outboxes[Any], /) -> Self: ...
    descriptor: int
    """The socket; negative (as it begins) where only a transport may write. Open for as long as the outbox is clear."""
    is_clear: bool
    """Whether frames may join and be written without further ado (as it begins): not once the socket ends, nor while a transport
    holds bytes."""
    @property
    def waiting_bytes(self) -> int:
        """Bytes queued, frame headers included."""

    def send_frame(self, frame: bytes, droppable: bool = False, count: int = 1) -> bool:
        """Queues a whole frame (RFC 6455 § 5.2), or `count` of them, one behind the other. Returns whether it did.

        `admit_frame` decides where the outbox is not clear or would wait with more than `long_bytes`.
        """

    def admit_frame(self, size: int, droppable: bool, /) -> bool:
        """Whether a frame of `size` bytes may join nevertheless. Here: no."""

    def push_frame(self, frame: bytes, /) -> None:
        """Queues a frame without asking or counting: a control frame."""

    def flush_soon(self) -> None:
        """Has the next flush look at it; every frame that is queued does that."""

    def take_frames(self) -> bytes:
        """Takes the oldest frames for a transport to write, about `piece_bytes` of them in one piece; b"" when none waits."""

    def drop_frames(self) -> None:
        """Forgets what is queued. Frames are taken whole or not at all, so the stream stays well-formed."""

@final
class Outboxes(Generic[_T]):
    """What the outboxes of one event loop share: which of them are due, and what was written. `_T` is the class that inherits."""

    def __new__(cls, wake: Callable[[], object], long_bytes: int, piece_bytes: int) -> Outboxes[_T]:
        """`wake` is called when the first outbox becomes due, and arranges for `flush` to be called."""

    long_bytes: int
    """How many bytes may wait in an outbox before `admit_frame` is asked."""
    @property
    def messages_out(self) -> int:
        """Messages queued by `send_frame` so far."""
    @property
    def bytes_out(self) -> int:
        """Bytes written or taken so far."""

    def flush(self) -> list[tuple[_T, bytes]]:
        """Writes what waits in the outboxes that are due, in one go and without waiting (send(2) with MSG_DONTWAIT).

        Returns what is left to their owners: an outbox, and the bytes that its socket did not take, for a transport to write (an
        error of the socket counts as nothing taken: the transport will meet it); or b"" where nothing was tried, because the
        outbox has no descriptor, is not clear, or is empty or longer than `piece_bytes`.
        """

@final
class RateLimit:
    """A rate that several accounts are held to at once: the generic cell rate algorithm (ITU-T I.371 Annex A), whose bucket is
    one number, the time at which the next event is due.

    The numbers are the caller's: lists of floats, one list for each account. 0.2 µs a call. Frozen: safe in all threads.
    """

    def __new__(cls, *accounts: tuple[float, float]) -> RateLimit:
        """For each account, at most four: events a second in the long run, and how many may come at once after a quiet time.

        Raises ArgumentError for a rate that is not above 0 or a burst below 1, ValueError for another number of accounts.
        """

    @property
    def intervals(self) -> list[float]:
        """Seconds from one event to the next, for each account."""

    @property
    def tolerances(self) -> list[float]:
        """How far an account's due time may be ahead of an event, in seconds."""

    def admit(self, now: float, count: int, place: int, /, *meters: list[float]) -> bool:
        """Charges ``count`` events that come ``now`` to the accounts, first to last, whose due times are ``meter[place]``.
        False: one has no room for all of them, and nothing is charged.

        Accounts may be left out at the end. Raises IndexError where a list is too short, ValueError for more lists than accounts;
        nothing is charged then.
        """

def take_messages(
    buffer: bytearray | memoryview, size: int, opcode: int, max_payload: int, /
) -> tuple[list[bytes], int, int]:
    """Takes the messages off the first ``size`` bytes that a WebSocket client has sent: the whole, unfragmented data frames at
    their beginning (RFC 6455 § 5.2). Returns the payloads, how many bytes they have, and how many their frames take.

    Stops at what needs a closer look: another opcode than ``opcode`` (1: text, 2: binary), a fragment, a control frame, a payload
    above ``max_payload`` or 64 KiB, text that is not ASCII, a frame that is not whole or breaks a rule. 0.3 µs for 1 KB, 0.7 µs
    for ten of 200 bytes. Raises ValueError if ``buffer`` is shorter.
    """

def node_id_of(public_key: bytes) -> str:
    """The id of the node that has this key: 32 hex digits. Raises ArgumentError for other than 32 bytes."""

def sign_ticket(authority: KeyManager, cluster: str, public_key: bytes, not_after: int) -> bytes:
    """The 72 bytes that let the node with ``public_key`` into a cluster until ``not_after``, in seconds of Unix time.

    They are that time (8 bytes, little-endian) and the signature of ``authority``. A ticket is shown with every record of the
    node, not only when it joins: when it has run out, the node is refused. Raises ArgumentError for a key of another
    size and a time outside 0 to 2**64 - 1.
    """

def sign_ban(authority: KeyManager, cluster: str, node_id: str | bytes) -> bytes:
    """The 120 bytes with which an authority bans a node from a cluster for ever, whatever tickets it has."""

def simulate(
    scenario: str,
    nodes: int | None = None,
    seed: int = 1,
    *,
    rules: Literal["palaver", "memberlist", "swim"] = "palaver",
    sample_every: float = 1.0,
    progress: Callable[[float], object] | None = None,
) -> dict[str, Any]:
    """Runs a cluster in virtual time, through the troubles of a scenario: the engine itself, with a model of the cipher.

    ``scenario`` is a name of ``simulation_scenarios`` or a TOML text (see rust/sim/src/scenario.rs), ``nodes``
    (3 to 5,000, which take 5 to 15 GB) replaces its number. The same arguments give the same history. ``rules`` are ours
    or a model of a rival's.
    ``progress`` is told the share that is done, from 0 to 1, about once a virtual second, in which also Ctrl-C is heard; what it
    raises ends the run and is raised. The interpreter is released meanwhile.

    ``title, nodes, seed, rules, seconds``; ``measures`` by name (rust/sim/src/measure.rs: times in seconds since the first
    fault, what did not happen is missing); ``samples`` each ``sample_every`` seconds: ``(at, running nodes, different views, and
    how many members a node sees: the fewest, on average, the most)``; ``spread``: ``(seconds, share of those that have heard the
    rumour or of the fault)``; ``bars``: ``(measure, at most, got or None, whether it is met)``, for this one seed.

    Raises ArgumentError for a scenario that is none and numbers out of range (rust/sim/src/check.rs has the ranges).
    """

def simulation_scenarios() -> dict[str, str]:
    """The scenarios of docs/gossip.md that come along, as TOML by name."""
