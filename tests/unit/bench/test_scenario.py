"""Scenarios are strict, and say where they break which rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from palaver.bench.scenario import PRESETS, Relay, ScenarioError, adjusted, load_scenario, parse, preset


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_scenario_that_says_what_it_does(name: str) -> None:
    assert preset(name).about


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "missing required field `stage`"),
        ("stage = []", "length >= 1"),
        ('[[stage]]\nkind = "relais"', "relais"),
        ('[[stage]]\nkind = "relay"\npears = 2', "unknown field `pears`"),
        ('[[stage]]\nkind = "relay"\npairs = 0', "`$.stage[0].pairs`"),
        ('[[stage]]\nkind = "relay"\n[[stage]]\nkind = "relay"', "same name"),
        ('[[stage]]\nkind = "storm"\n[[stage]]\nkind = "relay"', "only stage"),
        ("[[stage", "not TOML"),
    ],
)
def test_what_is_no_scenario_is_refused_with_the_place(text: str, what: str) -> None:
    with pytest.raises(ScenarioError, match=r"^mine\.toml: ") as refused:
        parse(text, "mine.toml")
    assert what in str(refused.value)


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load_scenario(path)


def test_numbers_go_to_each_stage_that_has_them() -> None:
    mixed = adjusted(preset("mixed"), "mixed", pairs=7, seconds=1.5)
    assert [stage.pairs for stage in mixed.stage if hasattr(stage, "pairs")] == [7, 7]
    assert mixed.seconds == 1.5
    assert preset("mixed").seconds == 10.0


def test_a_number_that_no_stage_has_is_refused() -> None:
    with pytest.raises(ScenarioError, match="no stage has room-size"):
        adjusted(preset("relay"), "relay", room_size=3)
    with pytest.raises(ScenarioError, match=r"^relay: pairs \(0\): Expected `int` >= 1$"):
        adjusted(preset("relay"), "relay", pairs=0)


def test_what_is_not_said_stays_as_it_is() -> None:
    assert adjusted(preset("relay"), "relay", pairs=None, rate=None) == preset("relay")
    assert isinstance(preset("relay").stage[0], Relay)
