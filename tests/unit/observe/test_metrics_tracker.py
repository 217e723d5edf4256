"""MetricsTracker counts, DiagnosticTool says what it means."""

from __future__ import annotations

from palaver.observe import DiagnosticTool, MetricsTracker


def test_the_counters_are_by_member() -> None:
    tracker = MetricsTracker()
    tracker.record_gossip("a")
    tracker.record_gossip("a", 2)
    tracker.record_gossip("b")
    tracker.record_heartbeat("a", 10.0)
    tracker.record_suspicion("b")
    assert tracker.gossip_counts == {"a": 3, "b": 1}
    assert tracker.heartbeat_times == {"a": 10.0}
    assert tracker.failure_suspicions == {"b": 1}
    summary = tracker.get_summary()
    assert (summary.gossips, summary.heartbeats, summary.suspicions, summary.nodes) == (4, 1, 1, 2)
    assert summary.most_suspected == ("b",)


def test_an_earlier_heartbeat_changes_nothing() -> None:
    tracker = MetricsTracker()
    for now in (10.0, 9.0, 10.0, 11.0):
        tracker.record_heartbeat("a", now)
    beats = tracker.heartbeats["a"]
    assert (beats.count, beats.last, beats.interval, beats.longest) == (2, 11.0, 1.0, 1.0)


def test_members_beyond_the_bound_are_only_counted() -> None:
    tracker = MetricsTracker(max_nodes=1)
    for node in ("a", "b", "c"):
        tracker.record_gossip(node)
    assert tracker.gossip_counts == {"a": 1}
    assert tracker.get_summary().untracked == 2
    tracker.forget("a")
    tracker.record_gossip("b")
    assert tracker.gossip_counts == {"b": 1}


def test_without_gossip_the_report_says_so() -> None:
    report = DiagnosticTool(MetricsTracker()).report_gossip_activity()
    assert not report.healthy
    assert "nothing was exchanged" in str(report)


def test_a_member_that_is_hardly_talked_to_is_named() -> None:
    tracker = MetricsTracker()
    tracker.record_gossip("a", 100)
    tracker.record_gossip("b", 100)
    assert DiagnosticTool(tracker).report_gossip_activity().healthy
    tracker.record_gossip("c", 3)
    report = DiagnosticTool(tracker).report_gossip_activity()
    assert report.findings[1:] == ("c got only 3",)


def test_the_most_suspected_come_first() -> None:
    tracker = MetricsTracker()
    assert DiagnosticTool(tracker).report_failures().healthy
    for node in ("a", "b", "b"):
        tracker.record_suspicion(node)
    report = DiagnosticTool(tracker).report_failures()
    assert report.findings == ("3 suspicions of 2 members", "b was suspected 2 times", "a was suspected once")


def test_a_healthy_cluster_is_healthy_after_the_rush_of_its_start() -> None:
    tracker = MetricsTracker()
    tool = DiagnosticTool(tracker)
    members = [f"node-{number}" for number in range(7)]
    heard = [0.2 * beat for beat in range(10)] + [2.0 + 7.0 * turn for turn in range(1, 9)]
    for now in (0.5 * look for look in range(110)):
        for phase, member in enumerate(members):
            for at in heard:
                if at + phase / 7 <= now:
                    tracker.record_heartbeat(member, at + phase / 7)
        report = tool.report_heartbeat_health(now)
        assert now < 2 or report.healthy, f"{now}: {report}"
    assert not tool.report_heartbeat_health(80.0).healthy


def test_a_heartbeat_is_late_by_its_own_rhythm() -> None:
    tracker = MetricsTracker()
    tool = DiagnosticTool(tracker)
    assert not tool.report_heartbeat_health(0.0).healthy
    for now in (0.0, 1.0, 2.0):
        tracker.record_heartbeat("quick", now)
    for now in (0.0, 10.0):
        tracker.record_heartbeat("slow", now)
    assert tool.report_heartbeat_health(4.0).healthy
    report = tool.report_heartbeat_health(12.0)
    assert report.findings == (
        "1 of 2 members are on time",
        "quick has been silent for 10.0 s; it used to be heard every 1.0 s",
    )
