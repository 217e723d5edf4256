"""Two tables in two processes that converge over plain UDP sockets. In two terminals:

python examples/converge.py ada 7001 7002
python examples/converge.py bob 7002 7001
"""

import socket
import sys

from palaver.core import MembershipTable

name, port, peer = sys.argv[1], int(sys.argv[2]), ("127.0.0.1", int(sys.argv[3]))
table = MembershipTable(name)
table.update(f"guest-of-{name}", incarnation=1, status="suspect")

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
    plain.bind(("127.0.0.1", port))
    plain.settimeout(0.1)
    theirs = b""
    while theirs != table.root:  # equal roots: equal views
        plain.sendto(table.root + table.snapshot_bytes(), peer)
        try:
            packet = plain.recv(65535)
        except TimeoutError:  # the other has not started, or a packet was lost
            continue
        theirs = packet[:16]
        table.merge_bytes(packet[16:])
    plain.sendto(table.root + table.snapshot_bytes(), peer)  # so that the other knows it too

print(name, {node_id: status for node_id, (_, status, _) in sorted(table.members.items())})
