"""Offers and candidates as browsers make them, of an exact size."""

from __future__ import annotations

from typing import Final

_SESSION: Final = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS 6e2d6c1e-9a5b-4f0e-8f25-3f1f0b9c1d77
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:Wn4k
a=ice-pwd:qkVrLbnHcXbKrXbYpJ5fWq6B
a=ice-options:trickle
a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=sendrecv
a=msid:6e2d6c1e-9a5b-4f0e-8f25-3f1f0b9c1d77 2a1b
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=ssrc:1399694169 cname:NzPzKhDZbEvbmkrX
a=ssrc:1399694169 msid:6e2d6c1e-9a5b-4f0e-8f25-3f1f0b9c1d77 2a1b
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:Wn4k
a=ice-pwd:qkVrLbnHcXbKrXbYpJ5fWq6B
a=ice-options:trickle
a=setup:actpass
a=mid:1
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=sendrecv
a=msid:6e2d6c1e-9a5b-4f0e-8f25-3f1f0b9c1d77 7c9e
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=rtcp-fb:102 goog-remb
a=rtcp-fb:102 nack
a=fmtp:102 packetization-mode=1
a=ssrc-group:FID 1216 3409
a=ssrc:1216 cname:NzPzKhDZbEvbmkrX
a=ssrc:1216 msid:6e2d6c1e-9a5b-4f0e-8f25-3f1f0b9c1d77 7c9e
a=ssrc:3409 cname:NzPzKhDZbEvbmkrX
a=ssrc:3409 msid:6e2d6c1e-9a5b-4f0e-8f25-3f1f0b9c1d77 7c9e
"""
LINES: Final = 65
"""Of an offer of the usual 2,048 bytes; shorter ones have as many as fit, longer ones the same number."""


def offer(size: int) -> str:
    """An offer of exactly `size` bytes (at least 512), with CRLF line ends."""
    lines = _SESSION.splitlines()
    last = "a=x-load:"
    while sum(len(line) + 2 for line in lines) + len(last) + 2 > size:
        lines.pop()
    filler = LINES - 1 - len(lines)
    rest = size - sum(len(line) + 2 for line in lines)
    # Candidates make up the number of lines; the last line fills what is left.
    while filler > 0 and rest - len(_host(filler)) - 2 >= len(last) + 2:
        lines.append(_host(filler))
        rest -= len(lines[-1]) + 2
        filler -= 1
    lines.append(last + "x" * (rest - len(last) - 2))
    return "\r\n".join(lines) + "\r\n"


def _host(port: int) -> str:
    return f"a=x-h:{port}"


def candidate(size: int) -> str:
    """A candidate line of exactly `size` bytes, as they are trickled."""
    line = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.17.1 rport 46154 generation 0"
    line += " ufrag Wn4k network-cost 999"
    return line[:size].ljust(size, "0")
