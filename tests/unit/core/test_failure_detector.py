import pytest

from palaver.core import ArgumentError, CapacityError, FailureDetector


@pytest.fixture
def detector() -> FailureDetector:
    """Has heard a every second until 100."""
    detector = FailureDetector()
    for second in range(101):
        detector.record_heartbeat("a", now=float(second))
    return detector


def test_silence_becomes_suspicious(detector: FailureDetector) -> None:
    assert not detector.check_suspicion("a", now=101.5)
    assert detector.check_suspicion("a", now=104.0)
    assert detector.suspects(now=104.0) == ["a"]


def test_phi_is_a_third_when_a_heartbeat_is_due(detector: FailureDetector) -> None:
    assert detector.phi("a", now=101.0) == pytest.approx(0.301, abs=0.01)


def test_nobody_is_blamed_for_a_pause_of_our_own(detector: FailureDetector) -> None:
    detector.shift(60.0)
    assert not detector.check_suspicion("a", now=161.0)


def test_a_burst_of_heartbeats_does_not_make_a_hiccup_suspicious(detector: FailureDetector) -> None:
    for beat in range(300):
        detector.record_heartbeat("a", now=100.0 + beat * 1e-5)
    assert not detector.check_suspicion("a", now=100.053)


def test_an_unknown_or_forgotten_node_is_not_suspected(detector: FailureDetector) -> None:
    assert not detector.check_suspicion("b")
    assert detector.forget("a")
    assert not detector.check_suspicion("a", now=1e6)
    assert not detector.forget("a")


def test_the_number_of_nodes_is_bounded() -> None:
    detector = FailureDetector(max_nodes=1)
    detector.record_heartbeat("a")
    with pytest.raises(CapacityError):
        detector.record_heartbeat("b")
    assert len(detector) == 1


@pytest.mark.parametrize("setting", [{"threshold": 0.0}, {"expected_interval": float("inf")}])
def test_settings_are_above_zero(setting: dict) -> None:
    with pytest.raises(ArgumentError, match="above zero"):
        FailureDetector(**setting)
