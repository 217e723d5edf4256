"""`palaver token` as a user runs it: a process, its output and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest

from palaver.settings import dev_keys

SECRET = "0123456789abcdef0123456789abcdef"


def palaver(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PALAVER_")}
    return subprocess.run(
        [sys.executable, "-m", "palaver.cli", *arguments],
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def token(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return palaver("token", "--room", "demo", "--identity", "alice", *arguments, **environ)


def test_json_holds_a_token_that_the_development_key_verifies(tmp_path: Path) -> None:
    done = token("--role", "moderator", "--ttl", "1h30m", "--state-dir", str(tmp_path), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    claims = jwt.decode(printed["token"], dev_keys(tmp_path)[1], algorithms=["HS256"])
    assert (claims["iss"], claims["sub"], claims["role"]) == ("devkey", "alice", "moderator")
    assert claims["video"]["room"] == "demo"
    assert claims["exp"] - claims["iat"] == 5400
    assert {key: printed[key] for key in printed if key != "token"} == {
        "identity": "alice",
        "room": "demo",
        "role": "moderator",
        "expiresAt": claims["exp"],
    }


def test_text_is_the_token_alone_and_lasts_an_hour(tmp_path: Path) -> None:
    done = token(PALAVER_STATE_DIR=str(tmp_path))
    claims = jwt.decode(done.stdout.strip(), dev_keys(tmp_path)[1], algorithms=["HS256"])
    assert claims["exp"] == pytest.approx(time.time() + 3600, abs=60)


def test_a_config_file_brings_its_own_key(tmp_path: Path) -> None:
    config = tmp_path / "palaver.toml"
    config.write_text(f"[auth.keys]\nprod = '{SECRET}'\n")
    done = token("--config", str(config), "--state-dir", str(tmp_path / "unused"))
    assert jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"])["iss"] == "prod"
    assert not (tmp_path / "unused").exists()


def test_the_audience_that_the_node_wants_is_in_the_token(tmp_path: Path) -> None:
    config = tmp_path / "palaver.toml"
    config.write_text(f"[auth]\naudience = 'calls'\n[auth.keys]\nprod = '{SECRET}'\n")
    done = token("--config", str(config))
    assert (done.returncode, done.stderr) == (0, "")
    assert jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"], audience="calls")["aud"] == "calls"


def test_names_are_put_into_nfc(tmp_path: Path) -> None:
    done = token("--name", "Zoe\u0308", "--state-dir", str(tmp_path))
    assert jwt.decode(done.stdout.strip(), options={"verify_signature": False})["name"] == "Zo\u00eb"


def test_grants_reach_the_token(tmp_path: Path) -> None:
    done = token(
        *(
            "--grant",
            "canPublish=false",
            "--grant",
            "canPublishSources=camera,screen",
            "--grant",
            "diag=true",
        ),
        *("--name", "Alice A.", "--state-dir", str(tmp_path)),
    )
    claims = jwt.decode(done.stdout.strip(), options={"verify_signature": False})
    assert claims["video"]["canPublish"] is False
    assert claims["video"]["canPublishSources"] == ["camera", "screen"]
    assert (claims["diag"], claims["name"]) == (True, "Alice A.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ttl", "2d"], "at most auth.max_ttl_seconds"),
        (["--ttl", "soon"], "is not a span of time"),
        (["--role", "king"], "--role"),
        (["--grant", "canPublsh=true"], "did you mean canPublish?"),
        (["--grant", "canPublish=7"], "the node would refuse this token"),
        (["--key", "other"], "there is no key other"),
        (["--config", "/nowhere/palaver.toml"], "cannot be read: No such file"),
        (["--name", "a\nb"], "without control characters"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_a_sentence(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = token(*arguments, PALAVER_STATE_DIR=str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
