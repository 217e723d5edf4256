"""The settings of the cluster: whether and where the node gossips, whom it greets, who may join."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Struct

from palaver.settings.bounds import (
    LeaveSeconds,
    Port,
    RefreshSeconds,
    SilenceSeconds,
    Texts,
    doc,
)

DEFAULT_PORT: Final = 7882


class ClusterSettings(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: Annotated[
        bool,
        doc("Take part in a cluster. `--join` turns it on; `palaver dev` has it on."),
    ] = False
    name: Annotated[
        str,
        doc("The cluster's name: packets of others are dropped unread. 1 to 64 characters without blanks."),
    ] = "palaver"
    host: Annotated[
        str,
        doc(
            "IP address to gossip on, UDP and TCP. Anything but loopback needs admission by keys or authorities."
        ),
    ] = "127.0.0.1"
    port: Annotated[
        Port,
        doc("Port to gossip on, the same for UDP and TCP; 0 picks a free one."),
    ] = DEFAULT_PORT
    advertise: Annotated[
        str,
        doc(
            "IP address, or IP address and port, under which other nodes find this one. Empty: what is bound. "
            "Needed where cluster.host is every interface, or behind address translation."
        ),
    ] = ""
    seeds: Annotated[
        Texts,
        doc(
            "Whom to greet at first: host:port each, a name with several addresses counts as all of them; "
            "file:PATH is a file with one a line. All of them dead: the node starts alone and goes on trying."
        ),
    ] = ()
    seed_seconds: Annotated[
        RefreshSeconds,
        doc("How often names and files among the seeds are looked up again."),
    ] = 30.0
    zone: Annotated[
        str,
        doc("The zone within node.region. Nodes of one zone are expected to fail together."),
    ] = ""
    admission: Annotated[
        Literal["open", "keys", "authorities"],
        doc(
            "Who may join. open: every key, on loopback only; keys: those of cluster.keys; "
            "authorities: whoever has a ticket signed by one of cluster.authorities (`palaver cluster invite`)."
        ),
    ] = "open"
    keys: Annotated[
        Texts,
        doc("Public keys of the nodes that may join, 64 hex digits each (`palaver cluster id`)."),
    ] = ()
    authorities: Annotated[
        Texts,
        doc(
            "Public keys whose tickets let nodes in and whose bans count, 64 hex digits each. An invitation brings them along. "
            "Two while one is replaced by the next."
        ),
    ] = ()
    invitation: Annotated[
        str,
        doc(
            "A join token of `palaver cluster invite`, or file:PATH of one. Used at the first start, then kept.",
            secret=True,
        ),
    ] = ""
    leave_seconds: Annotated[
        LeaveSeconds,
        doc("How long a stopping node waits until others have heard its goodbye."),
    ] = 5.0
    silence_seconds: Annotated[
        SilenceSeconds,
        doc(
            "When the Python side has not come by for so long, the node tells the others that it takes nothing new. "
            "Above the longest stall that is normal."
        ),
    ] = 5.0
    silence_leave_seconds: Annotated[
        SilenceSeconds,
        doc("… and after so long it leaves the cluster. Above silence_seconds."),
    ] = 60.0
