"""Settings come from file, environment and flags in that order; what is wrong is named with its place and rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.errors import SettingsError
from palaver.settings import Override, Settings, load, read
from palaver.settings.describe import all_settings

Write = Callable[[str], Path]
SECRET = "s" * 32


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str) -> Path:
        path = tmp_path / "palaver.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def problems(path: Path | None = None, **sources: object) -> list[str]:
    found = read(path, **sources)[1]  # type: ignore[arg-type]  # keywords are passed on
    return [str(problem).replace(f"{path}:", "palaver.toml:") for problem in found]


def test_no_source_gives_the_defaults() -> None:
    assert load() == Settings()


def test_the_defaults_break_no_rule() -> None:
    assert problems() == []


def test_later_sources_go_before_earlier_ones(write: Write) -> None:
    path = write("[gateway]\nport = 1\n[http]\nport = 2\n[log]\nlevel = 'error'\n")
    environ = {"PALAVER_GATEWAY__PORT": "3", "PALAVER_HTTP__PORT": "4", "OTHER": "x"}
    settings = load(path, environ=environ, overrides=[Override("--port", "gateway.port", 5)])
    assert (settings.gateway.port, settings.http.port, settings.log.level) == (5, 4, "error")


def test_a_value_that_a_later_source_hides_must_still_be_right(write: Write) -> None:
    assert problems(write("[gateway]\nport = 'x'\n"), environ={"PALAVER_GATEWAY__PORT": "3"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n[gateway]\nprot = 1", "palaver.toml:3: unknown key gateway.prot; did you mean port?"),
        ("[gatway]\nport = 1", "palaver.toml:1: unknown key gatway; did you mean gateway?"),
        (
            "max_fragments = 1",
            "palaver.toml:1: unknown key max_fragments; did you mean gateway.max_fragments?",
        ),
        ("[gateway]\nzzzz = 1", "palaver.toml:2: unknown key gateway.zzzz"),
        ("gateway = 1", "palaver.toml:1: gateway must be a table: [gateway]"),
        (
            "[gateway]\nport = 65536",
            "palaver.toml:2: gateway.port must be an integer from 0 to 65535, not 65536",
        ),
        ("[http]\ndemo = 1", "palaver.toml:2: http.demo must be true or false, not 1"),
        ("[http]\nport = true", "palaver.toml:2: http.port must be an integer from 0 to 65535, not true"),
        (
            "[gateway]\nhandshake_seconds = nan",
            "palaver.toml:2: gateway.handshake_seconds must be a number above 0, at most 86400, not NaN",
        ),
        (
            "[log]\nlevel = 'loud'",
            'palaver.toml:2: log.level must be one of debug, error, info, warning, not "loud"',
        ),
        (
            "[gateway]\norigins = [\n'https://a.b',\n5]",
            "palaver.toml:4: gateway.origins must be a list of strings, not 5",
        ),
        ("a = ", "palaver.toml:1: is not TOML: Invalid value"),
        ("a = 1\na = 2\nb = 1", "palaver.toml:2: is not TOML: Cannot overwrite a value"),
        (
            "[gateway]\nport = 0x" + "f" * 9000,
            "palaver.toml:2: gateway.port must be an integer from 0 to 65535, not this int",
        ),
        ("a = " + "[" * 100_000, "palaver.toml: is nested too deeply"),
    ],
)
def test_a_wrong_line_is_named_with_its_rule(write: Write, text: str, message: str) -> None:
    assert problems(write(text)) == [message]


def test_all_problems_are_named_at_once(write: Write) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write("[gateway]\nport = -1\nprot = 1\n"), environ={"PALAVER_HTTP__PORT": "x"})
    assert len(str(caught.value).splitlines()) == 3


def test_a_secret_is_never_shown(write: Write) -> None:
    found = problems(write("[auth.keys]\na = 'hush'\nb = 12345678\n"))
    assert found == ["palaver.toml:3: auth.keys must be a table of strings"]
    found = problems(write("[auth.keys]\na = 'hush'\n"))
    assert "hush" not in found[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = '\xff'", "palaver.toml:1: is not UTF-8"),
        (b"#" * ((1 << 20) + 1), "palaver.toml: is larger than"),
    ],
)
def test_a_file_that_is_no_settings_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "palaver.toml"
    path.write_bytes(content)
    assert problems(path)[0].startswith(message)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path / "palaver.toml") == ["palaver.toml: cannot be read: No such file or directory"]
    assert problems(tmp_path)[0].endswith("cannot be read: Is a directory")


def test_a_byte_order_mark_is_passed_over(write: Write) -> None:
    assert load(write("\ufeff[gateway]\nport = 1\n")).gateway.port == 1


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("PALAVER_GATEWAY__HOST", "::", "gateway.host", "::"),
        ("PALAVER_HTTP__DEMO", "true", "http.demo", True),
        ("PALAVER_AUTH__LEEWAY_SECONDS", "2.5", "auth.leeway_seconds", 2.5),
        (
            "PALAVER_GATEWAY__ORIGINS",
            "https://a.b, https://c.d",
            "gateway.origins",
            ("https://a.b", "https://c.d"),
        ),
        ("PALAVER_GATEWAY__ORIGINS", '["https://a.b"]', "gateway.origins", ("https://a.b",)),
        ("PALAVER_GATEWAY__ORIGINS", "", "gateway.origins", ()),
        ("PALAVER_AUTH__KEYS", f'{{"a": "{SECRET}"}}', "auth.keys", {"a": SECRET}),
        ("PALAVER_AUTH__KEYS__My_Key", SECRET, "auth.keys", {"My_Key": SECRET}),
    ],
)
def test_a_variable_is_read_as_the_type_of_its_setting(
    variable: str, text: str, path: str, value: object
) -> None:
    group, name = path.split(".")
    assert getattr(getattr(load(environ={variable: text}), group), name) == value


def test_an_entry_adds_to_the_table_of_the_file(write: Write) -> None:
    path = write(f"[auth.keys]\na = '{SECRET}'\n")
    assert set(load(path, environ={"PALAVER_AUTH__KEYS__b": SECRET}).auth.keys) == {"a", "b"}


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("PALAVER_GATEWAY__PROT", "1", "unknown setting; did you mean PALAVER_GATEWAY__PORT?"),
        ("PALAVER_GATEWAY__PORT__X", "1", "unknown setting; did you mean PALAVER_GATEWAY__PORT?"),
        ("PALAVER_GATEWAY_HOST", "1", "is not read; did you mean PALAVER_GATEWAY__HOST?"),
        (
            "PALAVER_GATEWAY__PORT",
            "tcp",
            'gateway.port must be an integer from 0 to 65535, not "tcp"',
        ),
        ("PALAVER_AUTH__KEYS", "hush", "auth.keys must be a table of strings as a JSON object"),
        ("PALAVER_GATEWAY__ORIGINS", "[1]", "gateway.origins must be a list of strings, not 1"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, text: str, message: str) -> None:
    assert problems(environ={variable: text}) == [f"{variable}: {message}"]


TOML_SIGNS = st.text(alphabet="ab.=[]{}\"'#,\n\\ 1-e_")
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.text() | TOML_SIGNS | TOML_SIGNS.map(lambda text: f"[gateway]\n{text}"))
def test_any_text_is_settings_or_problems(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    settings, found = read(path)
    assert (settings is None) == bool(found)


@given(st.sampled_from([setting.path for setting in all_settings()]), ANY_VALUE)
def test_any_value_is_settings_or_problems(path: str, value: object) -> None:
    settings, found = read(overrides=[Override("--set", path, value)])
    assert (settings is None) == bool(found)
    assert all(len(str(problem)) < 500 for problem in found)


def test_variables_that_are_no_settings_pass() -> None:
    kubernetes = {"PALAVER_GATEWAY_PORT": "tcp://10.0.0.1:7880", "PALAVER_SERVICE_HOST": "10.0.0.1"}
    assert load(environ={**kubernetes, "PALAVER_STATE_DIR": "/x"}) == Settings()


def test_a_wrong_flag_is_named() -> None:
    assert problems(overrides=[Override("--port", "gateway.port", 70000)]) == [
        "--port: gateway.port must be an integer from 0 to 65535, not 70000"
    ]
    assert problems(overrides=[Override("--set", "gateway.prot", "1")]) == [
        "--set: unknown setting gateway.prot; did you mean gateway.port?"
    ]


@pytest.mark.parametrize("setting", all_settings(), ids=lambda setting: setting.path)
def test_every_default_survives_the_environment(setting: object) -> None:
    import json

    from palaver.settings.describe import Setting

    assert isinstance(setting, Setting)
    text = setting.default if setting.is_text else json.dumps(setting.default)
    assert load(environ={setting.env: text}) == Settings()


def test_a_base_stands_in_for_the_defaults() -> None:
    base = load(overrides=[Override("--port", "gateway.port", 1)])
    assert load(base=base, environ={"PALAVER_HTTP__PORT": "2"}).gateway.port == 1
