"""The shape of an SDP (RFC 8866 § 5), checked before anybody relays or applies one."""

from __future__ import annotations

import re
from typing import Final

from palaver.protocol.errors import ProtocolError

# v=0 first, then lines of <type>=<value>; a line ends with CRLF, and a bare LF is tolerated (RFC 8866 § 5).
_WHOLE: Final = re.compile(r"v=0\r?\n(?:[a-z]=[^\r\n\0]*(?:\r?\n|\Z))*\Z")
_LINE: Final = re.compile(r"[a-z]=[^\r\n\0]*\Z")


def check_sdp(sdp: str, max_bytes: int) -> None:
    """Raises ProtocolError too_large, or bad_sdp with the number of the first line that is not SDP (from 1)."""
    if len(sdp) > max_bytes or (not sdp.isascii() and len(sdp.encode()) > max_bytes):
        raise ProtocolError("too_large", f"an SDP has at most {max_bytes} bytes", path="$.sdp")
    if _WHOLE.match(sdp) is not None:
        return
    lines = sdp.replace("\r\n", "\n").split("\n")
    if lines[0] != "v=0":
        raise ProtocolError("bad_sdp", "line 1: an SDP begins with v=0", line=1, path="$.sdp")
    for number, line in enumerate(lines, 1):
        if _LINE.match(line) is None:
            raise ProtocolError("bad_sdp", f"line {number} is not <type>=<value>", line=number, path="$.sdp")
    raise ProtocolError("bad_sdp", "line 1: an SDP begins with v=0 and a line end", line=1, path="$.sdp")
