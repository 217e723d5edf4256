"""Janus and Prosody: servers that Debian packages. Used where they are installed, else downloaded and unpacked into .peers.

Nothing is installed and no right of root is needed. Both listen on loopback only, with settings of ours beside their files.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple


class Started(NamedTuple):
    """How a server is started that is told its port."""

    command: tuple[str | Path, ...]
    environment: dict[str, str]


def free_port() -> int:
    """A port of loopback that was free just now: these servers cannot be asked which one the kernel chose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(package: str, program: str, folder: Path) -> Path:
    """Where the files of the package begin: / if it is installed, else a folder it was unpacked into.

    Raises OSError or CalledProcessError where this is no Debian, or it cannot be downloaded.
    """
    if shutil.which(program):
        return Path("/")
    root = folder / package
    if (root / "usr/bin" / program).is_file():
        return root
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise OSError(f"{package} is not installed, and there is no apt-get to have it with")
    packed = folder / f"{package}.debs"
    packed.mkdir(parents=True, exist_ok=True)
    asked = ["apt-get", "install", "--simulate", "--no-install-recommends", package]
    plan = _said(asked, packed)
    missing = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    _said(["apt-get", "download", *missing], packed)
    unpacked = folder / f"{package}.part"
    for archive in sorted(packed.glob("*.deb")):
        _said(["dpkg-deb", "--extract", str(archive), str(unpacked)], packed)
    unpacked.rename(root)
    shutil.rmtree(packed)
    return root


def _said(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
    )
    if done.returncode:
        raise OSError((done.stderr.strip() or f"{command[0]} failed").splitlines()[-1])
    return done.stdout


def _libraries(root: Path, part: str) -> Path:
    """Where the libraries are that have this folder, for whatever processor this is (multiarch)."""
    found = sorted((root / "usr/lib").glob(f"*-linux-*/{part}"))
    if not found:
        raise OSError(f"there is no {part} among the libraries in {root}")
    return found[0].parent


JANUS_WITHOUT = ("http", "mqtt", "nanomsg", "pfunix", "rabbitmq")


def janus(root: Path, folder: Path, port: int) -> Started:
    """Janus with its WebSocket transport and echo test plugin; JSON without blanks."""
    settings = folder / "janus.settings"
    settings.mkdir(parents=True, exist_ok=True)
    libraries = _libraries(root, "janus")
    places = {kind: libraries / "janus" / kind for kind in ("plugins", "transports", "events", "loggers")}
    others = ",".join(path.name for path in places["plugins"].glob("*.so") if "echotest" not in path.name)
    transports = ",".join(f"libjanus_{name}.so" for name in JANUS_WITHOUT)
    folders = "".join(f'\t{kind}_folder = "{path}"\n' for kind, path in places.items())
    (settings / "janus.jcfg").write_text(
        f'general: {{\n\tconfigs_folder = "{settings}"\n{folders}\tdebug_level = 1\n\tinterface = "127.0.0.1"\n}}\n'
        f'plugins: {{ disable = "{others}" }}\ntransports: {{ disable = "{transports}" }}\n'
        'loggers: { disable = "libjanus_jsonlog.so" }\n'
    )
    (settings / "janus.transport.websockets.jcfg").write_text(
        f'general: {{\n\tjson = "compact"\n\tws = true\n\tws_port = {port}\n\tws_ip = "127.0.0.1"\n\twss = false\n}}\n'
    )
    (settings / "janus.plugin.echotest.jcfg").touch()
    program = root / "usr/bin/janus"
    environment = {} if root == Path("/") else {"LD_LIBRARY_PATH": str(libraries)}
    return Started((program, "-N", "-F", settings, "-C", settings / "janus.jcfg"), environment)


PROSODY = """\
run_as_root = true
pidfile = "{folder}/prosody.pid"
log = {{ {{ levels = {{ min = "error" }}, to = "console" }} }}
modules_enabled = {{ "disco", "saslauth", "websocket", "ping" }}
modules_disabled = {{ "s2s", "offline" }}
c2s_ports = {{}}
c2s_direct_tls_ports = {{}}
s2s_ports = {{}}
http_ports = {{ {port} }}
http_interfaces = {{ "127.0.0.1" }}
https_ports = {{}}
http_default_host = "localhost"
consider_websocket_secure = true
c2s_require_encryption = false
VirtualHost "localhost"
	authentication = "anonymous"
"""


def prosody(root: Path, folder: Path, port: int) -> Started:
    """Prosody with anonymous logins over WebSocket (RFC 7395), and nothing that a relay does not need."""
    settings = folder / "prosody.settings"
    (settings / "data").mkdir(parents=True, exist_ok=True)
    (settings / "certs").mkdir(exist_ok=True)
    (settings / "prosody.cfg.lua").write_text(PROSODY.format(folder=settings, port=port))
    # Its main file has the places of the rest written into it.
    main = (root / "usr/bin/prosody").read_text()
    main = main.replace("='/usr/lib/prosody", f"='{root / 'usr/lib/prosody'}")
    main = main.replace("='/etc/prosody", f"='{settings}").replace(
        "='/var/lib/prosody", f"='{settings / 'data'}"
    )
    (settings / "prosody").write_text(main)
    version = main.partition("env lua")[2].partition("\n")[0]
    environment = {}
    if root != Path("/"):
        libraries = _libraries(root, "lua")
        suffix = "_" + version.replace(".", "_")
        environment = {
            f"LUA_PATH{suffix}": f"{root}/usr/share/lua/{version}/?.lua;;",
            f"LUA_CPATH{suffix}": f"{libraries}/lua/{version}/?.so;;",
        }
    lua = root / f"usr/bin/lua{version}"
    command = (lua if lua.exists() else f"lua{version}", settings / "prosody")
    return Started((*command, "--config", settings / "prosody.cfg.lua", "-F"), environment)
