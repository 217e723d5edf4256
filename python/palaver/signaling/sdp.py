"""The shape of an SDP (RFC 8866 § 5), checked before anybody relays or applies one."""

from __future__ import annotations

from palaver.core import first_bad_sdp_line
from palaver.protocol.errors import ProtocolError


def check_sdp(sdp: str, max_bytes: int) -> None:
    """Raises ProtocolError too_large, or bad_sdp with the number of the first line that is not SDP (from 1)."""
    if len(sdp) > max_bytes or (not sdp.isascii() and len(sdp.encode()) > max_bytes):
        raise ProtocolError("too_large", f"an SDP has at most {max_bytes} bytes", path="$.sdp")
    line = first_bad_sdp_line(sdp)
    if line is None:
        return
    rule = ": an SDP begins with v=0 and a line end" if line == 1 else " is not <type>=<value>"
    raise ProtocolError("bad_sdp", f"line {line}{rule}", line=line, path="$.sdp")
