"""The generated documents hold every setting, and the generated file loads back to the defaults."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from palaver.settings import Settings, load
from palaver.settings.describe import Setting, all_settings
from palaver.settings.documents import config_doc, default_config, env_doc


def test_the_default_config_loads_back_to_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "palaver.toml"
    path.write_text(default_config(), encoding="utf-8")
    assert load(path) == Settings()


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.path)
def test_every_setting_is_described(setting: Setting) -> None:
    assert len(setting.description) > 15
    assert setting.description in default_config()
    assert tomllib.loads(default_config())[setting.group][setting.name] == setting.default
    assert f"| `{setting.name}` |" in config_doc()
    assert f"| `{setting.env}` | `{setting.path}` |" in env_doc()


def test_tables_have_the_same_number_of_columns_in_each_row() -> None:
    for line in (config_doc() + env_doc()).splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 5
