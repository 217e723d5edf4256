"""Quality, statistics, errors, encodings and traces (protocol § 5)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plane import Client, Refusal, Stage
from harness.settings import node_settings
from palaver.rooms.quality import score
from palaver.rooms.statistics import STATS_BYTES


@pytest.fixture
def stage() -> Stage:
    return Stage()


def publish(client: Client, id: str = "cam", **more: object) -> None:
    client.call("createProducer", id=id, transport="t", kind="video", source="camera", **more)


@given(st.floats(0, 5000), st.floats(0, 1000), st.floats(0, 1), st.floats(0, 1000))
def test_a_worse_connection_never_scores_better(rtt: float, jitter: float, loss: float, worse: float) -> None:
    best = score(rtt, jitter, loss)
    assert 0 <= best <= 5
    assert score(rtt + worse, jitter, loss) <= best
    assert score(rtt, jitter + worse, loss) <= best
    assert score(rtt, jitter, min(1.0, loss + worse / 1000)) <= best


def test_quality_is_told_when_its_bucket_changes_and_at_most_every_two_seconds(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    good = alice.call("networkQuality", rttMs=20, lossUp=0, lossDown=0, jitterMs=2)
    assert good["score"] > 4.4
    assert [each["event"] for each in bob.take("peerQuality")] == ["peerQuality"]
    alice.call("networkQuality", rttMs=25, lossUp=0, lossDown=0, jitterMs=2)
    assert bob.take("peerQuality") == []
    for _ in range(5):
        bad = alice.call("networkQuality", rttMs=900, lossUp=0.4, lossDown=0.3, jitterMs=80)
    assert bad["score"] < 1
    assert bob.take("peerQuality") == []
    stage.advance(2)  # the last change is told by itself
    (told,) = bob.take("peerQuality")
    stage.advance(60)
    assert bob.take("peerQuality") == []
    assert told["peer"] == alice.peer
    assert bob.call("networkQuality", peer=alice.peer)["score"] == told["score"]
    with pytest.raises(Refusal, match="invalid_params"):
        alice.call("networkQuality", lossUp=1.5)


def test_statistics_are_kept_for_five_minutes(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    moderator = stage.enter("mo", role="moderator")
    publish(alice)
    sample = {"framesPerSecond": 30, "packetsLost": 0, "codecId": "vp8", "powerEfficientEncoder": True}
    assert alice.call("videoStats", producer="cam", samples=[sample]) == {}
    stage.advance(200)
    alice.call("videoStats", producer="cam", samples=[{"framesPerSecond": 5}])
    assert alice.call("videoStats", producer="cam")["stats"] == [sample, {"framesPerSecond": 5}]
    stage.advance(101)
    assert moderator.call("videoStats", producer="cam")["stats"] == [{"framesPerSecond": 5}]
    with pytest.raises(Refusal, match="not_found"):
        bob.call("videoStats", producer="cam")
    with pytest.raises(Refusal, match="forbidden"):
        moderator.call("videoStats", producer="cam", samples=[sample])
    with pytest.raises(Refusal, match="invalid_params"):
        alice.call("audioStats", producer="cam")
    for _ in range(40):
        alice.call("videoStats", producer="cam", samples=[sample] * 64)
    kept = alice.call("videoStats", producer="cam")["stats"]
    size = len(msgspec.json.encode(sample))
    assert len(kept) == STATS_BYTES // size


def test_five_minutes_of_a_usual_sample_a_second_are_kept_whole(stage: Stage) -> None:
    alice = stage.enter("alice")
    publish(alice)
    for second in range(300):
        alice.call(
            "videoStats", producer="cam", samples=[{"n": second, "filler": "x" * 250, "more": "x" * 130}]
        )
        stage.advance(1)
    assert len(alice.call("videoStats", producer="cam")["stats"]) == 300


def test_five_minutes_of_a_usual_call_are_kept_whole(stage: Stage) -> None:
    """Two tracks sent and eight received, a sample of 430 bytes a second of each."""
    alice, bob = stage.enter("alice"), stage.enter("bob")
    for number in range(8):
        bob.call("createProducer", id=f"p{number}", transport="t", kind="video", source="camera")
        alice.call("createConsumer", id=f"c{number}", producer=f"p{number}", transport="r")
    for number in range(2):
        alice.call("createProducer", id=f"own{number}", transport="t", kind="video", source="camera")
    measured = [{"consumer": f"c{n}"} for n in range(8)] + [{"producer": f"own{n}"} for n in range(2)]
    sample = {"filler": "x" * 250, "more": "x" * 150}
    for second in range(300):
        for what in measured:
            alice.call("videoStats", **what, samples=[{**sample, "n": second}])
        stage.advance(1)
    for what in measured:
        assert len(alice.call("videoStats", **what)["stats"]) == 300


@pytest.mark.parametrize(
    "sample", [{}, {"a": 1}, {"filler": "x" * 250}, {f"k{n}": "x" * 250 for n in range(100)}]
)
def test_statistics_of_a_participant_stay_within_their_budget(sample: dict[str, str]) -> None:
    budget = 200_000
    stage = Stage(
        node_settings(
            limits={
                "stats_bytes_per_peer": budget,
                "stats_per_second": 100_000,
                "producers_per_peer": 64,
                "received_burst_bytes": 1 << 30,
            }
        )
    )
    alice = stage.enter("alice")
    for number in range(64):
        alice.call("createProducer", id=f"p{number}", transport="t", kind="video", source="camera")
    statistics = stage.plane.sessions.rooms["room"].participants[alice.peer].stats
    for number in range(64):
        for _ in range(4):
            alice.call("videoStats", producer=f"p{number}", samples=[sample] * 8)
            assert statistics.cost <= budget
    assert len(alice.call("videoStats", producer="p63")["stats"]) >= 1


def test_a_flood_of_samples_pushes_out_itself() -> None:
    stage = Stage(node_settings(limits={"stats_bytes_per_peer": 50_000, "stats_per_second": 100_000}))
    alice = stage.enter("alice")
    for id in ("calm", "flood"):
        alice.call("createProducer", id=id, transport="t", kind="video", source="camera")
    for second in range(10):
        alice.call("videoStats", producer="calm", samples=[{"second": second}])
        for _ in range(50):
            alice.call("videoStats", producer="flood", samples=[{}] * 64)
    assert len(alice.call("videoStats", producer="calm")["stats"]) == 10


def test_media_errors_climb_a_ladder_of_advice(stage: Stage) -> None:
    alice = stage.enter("alice")
    camera = alice.call("mediaError", where="getUserMedia", name="NotAllowedError", message="denied")
    assert camera["advice"] == "none"
    assert camera["ref"]
    advice = [alice.call("mediaError", where="ice", name="failed", transport="t")["advice"] for _ in range(3)]
    assert advice == ["ice_restart", "rejoin", "rejoin"]
    stage.advance(31)
    assert alice.call("mediaError", where="ice", name="failed")["advice"] == "ice_restart"


def test_a_client_that_reports_error_after_error_does_not_fill_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    alice = stage.enter("alice")
    replies = [alice.call("mediaError", where="ice", name="failed") for _ in range(500)]
    assert all(each["ref"] for each in replies)
    assert len(caplog.records) == 10
    stage.advance(31)
    alice.call("mediaError", where="ice", name="failed")
    assert len(caplog.records) == 11


def test_replace_track_keeps_the_producer_and_its_consumers(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    publish(alice)
    bob.call("createConsumer", id="c", producer="cam", transport="r")
    bob.take()
    assert alice.call("replaceTrack", id="cam", source="screen", label="slides", generation=1) == {
        "changed": True
    }
    assert bob.take() == [
        {
            "event": "producerReplaced",
            "id": "cam",
            "peer": alice.peer,
            "source": "screen",
            "generation": 1,
            "label": "slides",
        }
    ]
    assert alice.call("replaceTrack", id="cam", source="screen", generation=1) == {"changed": False}
    with pytest.raises(Refusal, match="stale_generation"):
        alice.call("replaceTrack", id="cam", generation=0)
    with pytest.raises(Refusal, match="forbidden"):
        bob.call("replaceTrack", id="cam", generation=2)
    assert bob.call("pauseConsumer", id="c")["changed"] is False


def test_a_new_source_is_checked_against_the_grant(stage: Stage) -> None:
    alice = stage.connect()
    alice.join(token=stage.token("alice", canPublishSources=["camera"]))
    publish(alice)
    with pytest.raises(Refusal, match="forbidden"):
        alice.call("replaceTrack", id="cam", source="screen", generation=1)


def test_encodings_have_a_version_and_are_told_to_consumers(stage: Stage) -> None:
    alice, bob, carol = (stage.enter(name) for name in ("alice", "bob", "carol"))
    publish(alice, encodings=[{"rid": "l", "scaleResolutionDownBy": 4}, {"rid": "h"}])
    bob.call("createConsumer", id="c", producer="cam", transport="r")
    bob.take()
    carol.take()
    encodings = [{"rid": "l", "scaleResolutionDownBy": 2}]
    assert alice.call("changeEncoding", id="cam", encodings=encodings) == {"applied": encodings, "version": 2}
    assert bob.take() == [{"event": "producerLayers", "id": "cam", "layers": encodings, "version": 2}]
    assert carol.take() == []
    assert alice.call("changeEncoding", id="cam", encodings=encodings)["version"] == 2
    with pytest.raises(Refusal, match="conflict"):
        alice.call("changeEncoding", id="cam", encodings=encodings, ifVersion=1)


def test_the_publisher_hears_which_layers_anyone_still_watches(stage: Stage) -> None:
    alice, bob, carol = (stage.enter(name) for name in ("alice", "bob", "carol"))
    rids = [{"rid": rid} for rid in "lmh"]
    publish(alice, encodings=rids)
    for client in (bob, carol):
        client.call("createConsumer", id="c", producer="cam", transport="r")
    assert alice.take("producerWanted") == []
    bob.call("resumeConsumer", id="c")
    reply = bob.call("preferredLayers", id="c", spatial=0, temporal=1)
    assert reply == {"effective": {"spatial": 0, "temporal": 1}}
    carol.call("resumeConsumer", id="c")
    assert carol.call("preferredLayers", id="c", width=480, height=270)["effective"]["spatial"] == 0
    assert carol.call("preferredLayers", id="c", height=540)["effective"]["spatial"] == 1
    carol.call("leave")
    bob.call("pauseConsumer", id="c")
    assert [each["layers"] for each in alice.take("producerWanted")] == [
        [2], [0], [0, 2], [0], [0, 1], [0], []
    ]  # fmt: skip


def test_traces_reach_those_with_diag_who_subscribed(stage: Stage) -> None:
    alice = stage.enter("alice")
    doctor = stage.connect()
    doctor.join(token=stage.token("doctor", diag=True))
    with pytest.raises(Refusal, match="forbidden"):
        alice.call("traceEvent", subscribe=["*"])
    doctor.call("traceEvent", subscribe=["firstFrame"], ttlS=10)
    assert alice.call("traceEvent", name="firstFrame", t=12.5, attributes={"ms": 210}) == {}
    alice.call("traceEvent", name="other", t=13)
    assert doctor.take("trace") == [
        {"event": "trace", "peer": alice.peer, "name": "firstFrame", "t": 12.5, "attributes": {"ms": 210}}
    ]
    stage.advance(11)
    alice.call("traceEvent", name="firstFrame", t=14)
    assert doctor.take("trace") == []


def test_samples_may_have_the_records_of_webrtc_stats(stage: Stage) -> None:
    alice = stage.enter("alice")
    alice.call("createProducer", id="cam", transport="t", kind="video", source="camera")
    sample = {
        "type": "outbound-rtp",
        "active": True,
        "framesSent": 3,
        "qualityLimitationDurations": {"none": 1.5, "cpu": 0, "bandwidth": 0, "other": 0},
        "psnrSum": {"y": 40.5, "u": 41, "v": 42},
    }
    alice.call("videoStats", producer="cam", samples=[sample])
    assert alice.call("videoStats", producer="cam")["stats"] == [sample]
    for record in ({"none": "long"}, {str(n): n for n in range(33)}, {"none": {"none": 1}}):
        with pytest.raises(Refusal, match="invalid_params"):
            alice.call("videoStats", producer="cam", samples=[{"qualityLimitationDurations": record}])
