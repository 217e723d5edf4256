"""What `palaver default-config`, `config-doc` and `env-doc` print, generated from the tree."""

from __future__ import annotations

import itertools
import json
from typing import Any

from palaver.settings.describe import Setting, all_settings


def default_config() -> str:
    """A commented palaver.toml with every setting at its default; it loads back to exactly the defaults."""
    out = [
        "# palaver.toml: every setting at its default. Keep the lines that you change.",
        "# Precedence: defaults < this file < environment < flags.",
    ]
    for group, settings in _groups():
        out += ["", f"[{group}]"]
        tables = []  # [group.name] ends the group's own keys, so it stands after them
        for setting in settings:
            about = [f"# {setting.description}", f"# Must be {setting.rule}. Environment: {setting.env}"]
            if setting.is_table:
                tables += ["", *about, f"[{setting.path}]", '# some-id = "…"']
            else:
                out += [*about, f"{setting.name} = {toml_value(setting.default)}"]
        out += tables
    return "\n".join(out) + "\n"


def config_doc() -> str:
    """All settings as Markdown, one table for each group."""
    out = []
    for group, settings in _groups():
        out += [f"## `[{group}]`", "", "| setting | default | must be | meaning |", "|---|---|---|---|"]
        for setting in settings:
            meaning = setting.description.replace("|", "\\|")
            out.append(f"| `{setting.name}` | `{toml_value(setting.default)}` | {setting.rule} | {meaning} |")
        out.append("")
    return "\n".join(out)


def env_doc() -> str:
    """All environment variables of settings as a Markdown table."""
    out = ["| variable | setting | default | must be |", "|---|---|---|---|"]
    for setting in all_settings():
        default = toml_value(setting.default)
        out.append(f"| `{setting.env}` | `{setting.path}` | `{default}` | {setting.rule} |")
    return "\n".join(out) + "\n"


def as_json() -> list[dict[str, Any]]:
    """The same as data, for tools."""
    return [
        {
            "path": setting.path,
            "env": setting.env,
            "rule": setting.rule,
            "default": setting.default,
            "description": setting.description,
        }
        for setting in all_settings()
    ]


def toml_value(value: object) -> str:
    """A default as TOML 1.0, whose strings, numbers, booleans and arrays can be written as JSON's."""
    return json.dumps(value, ensure_ascii=False)


def _groups() -> list[tuple[str, list[Setting]]]:
    return [(name, list(group)) for name, group in itertools.groupby(all_settings(), lambda one: one.group)]
