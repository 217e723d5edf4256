"""Every exception that palaver raises, in one tree.

PalaverError
├── SettingsError          a setting is wrong: the message names the file, the line and the rule
├── StartError             the node cannot start here: a port is taken, the native core is missing
├── ProtocolError          a request that is refused on the wire, with a stable reason (see palaver.protocol.errors)
├── CoreError              what the native core refuses; a ValueError too (see palaver.core.errors)
└── ClientError            what the Python client reports
    ├── ConnectionLost     the socket closed; carries the close code and whether to reconnect
    └── RequestRefused     the node answered with an error; carries code, reason and data
"""

from __future__ import annotations


class PalaverError(Exception):
    """The root: catch this to catch all that palaver raises on purpose."""


class SettingsError(PalaverError):
    """A setting is wrong. Nothing has been started or changed."""


class StartError(PalaverError):
    """The node cannot start here. One sentence says what to do about it."""
