"""FailureDetector, GossipBackoff, GossipStrategy and RateLimit beside the plainest Python that says what they do."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.core import (
    ArgumentError,
    FailureDetector,
    GossipBackoff,
    GossipStrategy,
    Node,
    NodeMetadata,
    RateLimit,
)

names = st.sampled_from(["a", "b", "c"])
ticks = st.integers(0, 200)  # of 1/64 s, which floats hold exactly


class NaiveDetector:
    """Keeps every heartbeat, and reckons mean and variance anew from all of them."""

    def __init__(self, threshold: float, expected: float) -> None:
        self.threshold, self.expected = threshold, expected
        self.heard: dict[str, list[float]] = {}

    def record(self, node: str, now: float) -> None:
        times = self.heard.setdefault(node, [])
        if not times or now > times[-1]:
            times.append(now)

    def phi(self, node: str, now: float) -> float:
        times = self.heard.get(node)
        if times is None:
            return 0.0
        mean, variance = self.expected, (self.expected / 4) ** 2
        for before, after in itertools.pairwise(times):
            off = after - before - mean
            mean += off / 32
            variance = 31 / 32 * (variance + off * off / 32)
        y = (max(now - times[-1], 0.0) - mean) / max(math.sqrt(variance), mean / 4, 0.1)
        x = y * (
            1.5976 + 0.070566 * y * y
        )  # the tail of the normal distribution, as Akka and Cassandra take it
        return math.log10(1 + math.exp(x)) if x < 700 else x / math.log(10)


@given(
    st.sampled_from([0.5, 1.0, 8.0]),
    st.sampled_from([0.25, 1.0, 3.0]),
    st.lists(st.tuples(st.sampled_from(["hear", "ask", "forget"]), names, ticks), max_size=40),
)
def test_a_silence_is_as_surprising_as_the_naive_model_says(
    threshold: float, expected: float, steps: list[tuple[str, str, int]]
) -> None:
    detector = FailureDetector(threshold=threshold, expected_interval=expected)
    naive = NaiveDetector(threshold, expected)
    now = 0.0
    for step, node, wait in steps:
        now += wait / 64
        match step:
            case "hear":
                detector.record_heartbeat(node, now=now)
                naive.record(node, now)
            case "forget":
                assert detector.forget(node) == (naive.heard.pop(node, None) is not None)
            case _:
                phis = {each: naive.phi(each, now) for each in naive.heard}
                for each, phi in phis.items():
                    assert detector.phi(each, now=now) == pytest.approx(phi, rel=1e-9, abs=1e-9)
                    if abs(phi - threshold) > 1e-6:
                        assert detector.check_suspicion(each, now=now) == (phi > threshold)
                suspects = detector.suspects(now=now)
                assert suspects == sorted(suspects, key=lambda each: -detector.phi(each, now=now))
    assert len(detector) == len(naive.heard)


class NaiveBackoff:
    """A bucket of tokens that fills with time, and the end of a pause, for each peer."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.tokens: dict[str, tuple[float, float]] = {}
        self.failures: dict[str, int] = {}
        self.paused_until: dict[str, float] = {}

    def should_send(self, peer: str, now: float) -> bool:
        if now < self.paused_until.get(peer, 0.0):
            return False
        tokens, since = self.tokens.get(peer, (float(self.burst), 0.0))
        tokens = min(float(self.burst), tokens + (now - since) * self.rate)
        allowed = tokens >= 1
        self.tokens[peer] = (tokens - allowed, now)
        return allowed


@given(
    st.sampled_from([1.0, 4.0, 16.0]),
    st.integers(1, 5),
    st.lists(
        st.tuples(st.sampled_from(["send", "send", "fail", "answer", "forget"]), names, ticks), max_size=60
    ),
    st.integers(0, 2**64 - 1),
)
def test_a_peer_is_sent_to_when_the_naive_model_would(
    rate: float, burst: int, steps: list[tuple[str, str, int]], seed: int
) -> None:
    base, cap = 0.5, 4.0
    backoff = GossipBackoff(rate=rate, burst=burst, base=base, cap=cap, seed=seed)
    naive = NaiveBackoff(rate, burst)
    now = 0.0
    for step, peer, wait in steps:
        now += wait / 64
        match step:
            case "send":
                assert backoff.should_send(peer, now=now) == naive.should_send(peer, now)
            case "fail":
                pause = backoff.record_failure(peer, now=now)
                failures = naive.failures.get(peer, 0)
                assert 0 <= pause <= min(cap, base * 2**failures)
                naive.failures[peer] = failures + 1
                naive.paused_until[peer] = now + pause
            case "answer":
                backoff.record_success(peer)
                naive.failures.pop(peer, None)
                naive.paused_until.pop(peer, None)
            case "forget":
                backoff.forget(peer)
                for known in (naive.tokens, naive.failures, naive.paused_until):
                    known.pop(peer, None)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(2, 8), st.integers(0, 2**64 - 1))
def test_all_peers_but_one_are_near_while_both_sides_have_enough(
    near: int, far: int, k: int, seed: int
) -> None:
    here = NodeMetadata(region="eu", zone="eu-1")
    peers = [Node(f"near-{each}", metadata=here) for each in range(near)]
    peers += [Node(f"far-{each}", metadata=NodeMetadata(region="us", zone="us-1")) for each in range(far)]
    picks = GossipStrategy(here, seed=seed).select_peers(peers, k)
    count = min(k, near + far)
    picked_far = sum(each.node_id.startswith("far") for each in picks)
    assert len(picks) == len({each.node_id for each in picks}) == count
    assert picked_far == max(min(1, far), count - near)


class NaiveBucket:
    """Fills with tokens as time goes by, up to the burst."""

    def __init__(self, rate: int, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.tokens, self.at = float(burst), 0.0

    def room(self, now: float) -> float:
        return min(self.tokens + (now - self.at) * self.rate, self.burst)

    def pay(self, now: float, count: int) -> None:
        self.tokens, self.at = self.room(now) - count, now


accounts = st.tuples(st.sampled_from([1, 4, 64]), st.integers(1, 6))


@given(
    st.lists(accounts, min_size=1, max_size=3),
    st.lists(st.tuples(ticks, st.integers(1, 7), st.integers(1, 3)), max_size=40),
)
def test_a_rate_limit_charges_all_accounts_or_none_as_buckets_of_tokens_do(
    rates: list[tuple[int, int]], steps: list[tuple[int, int, int]]
) -> None:
    limit, naive = RateLimit(*rates), [NaiveBucket(*rate) for rate in rates]
    meters = [[7.0, 0.0, 7.0] for _ in rates]
    now = 1.0
    for wait, count, paying in steps:
        now += wait / 64
        some = naive[:paying]
        admitted = all(bucket.room(now) >= count for bucket in some)
        assert limit.admit(now, count, 1, *meters[:paying]) is admitted
        for bucket in some if admitted else []:
            bucket.pay(now, count)
    assert all(meter[::2] == [7.0, 7.0] for meter in meters)
    assert limit.intervals == [1 / rate for rate, _ in rates]


def test_a_rate_limit_says_what_is_wrong_and_charges_nothing() -> None:
    limit = RateLimit((1, 5), (1, 5))
    own = [0.0]
    with pytest.raises(IndexError):
        limit.admit(1.0, 1, 0, own, [])
    with pytest.raises(ValueError, match="there are 2 accounts, not 3"):
        limit.admit(1.0, 1, 0, own, own, own)
    with pytest.raises(TypeError):
        limit.admit(1.0, 1, 0, own, (0.0,))  # type: ignore[arg-type]
    assert own == [0.0]
    with pytest.raises(ValueError, match="1 to 4 accounts, not 0"):
        RateLimit()
    with pytest.raises(ArgumentError, match="rate is a finite number above zero"):
        RateLimit((0, 1))
    with pytest.raises(ArgumentError, match="burst - 1 is a finite number from 0 on"):
        RateLimit((1, 0.5))
