"""`palaver cluster …`: who may join."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palaver.cli.local_node import AdminToken, Url, find_node
from palaver.cli.options import Json, StateDir, Verbose
from palaver.cli.output import complain, say, say_json

if TYPE_CHECKING:
    from palaver.cluster import Authority

cluster = typer.Typer(
    name="cluster",
    help="Decide who may join a cluster: an authority, its invitations and keys.\n\nExample: palaver cluster init",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys = typer.Typer(name="keys", help="List, renew and revoke keys of the cluster.", no_args_is_help=True)
cluster.add_typer(keys)

AuthorityDir = Annotated[
    Path | None,
    typer.Option(
        "--authority",
        help="Where the authority is kept. Without: authority/ in the state directory.",
        file_okay=False,
    ),
]


def _directory(authority: Path | None, state_dir: Path | None) -> Path:
    from palaver import settings

    return authority or settings.state_dir(state_dir, environ=os.environ) / "authority"


def _open(authority: Path | None, state_dir: Path | None) -> Authority:
    from palaver.cluster import Authority

    return Authority.open(_directory(authority, state_dir))


@cluster.command()
def init(
    name: Annotated[str, typer.Option(help="The cluster's name.")] = "palaver",
    authority: AuthorityDir = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Make the authority of a new cluster: a key pair that lets nodes in.

    Keep its directory (mode 0700, files 0600) where nobody else can read it; no node needs it to run.

    Example: palaver cluster init --name prod
    """
    from palaver.cluster import Authority

    made = Authority.create(_directory(authority, state_dir), name)
    public = made.trusted[0].hex()
    if json:
        say_json({"cluster": name, "directory": str(made.directory), "publicKey": public})
    else:
        say(f"{made.directory}: the authority of {name}; its public key is {public}")
        say("next: palaver cluster invite --name NODE --seed HOST:PORT")


@cluster.command()
def invite(
    name: Annotated[str, typer.Option(help="What you call the node, for the ledger.")] = "",
    seed: Annotated[
        list[str] | None, typer.Option(metavar="HOST:PORT", help="A node to greet at first. Repeatable.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="PUBLIC_KEY",
            help="The node's public key (`palaver cluster id`): the token then holds no secret.",
        ),
    ] = None,
    ttl: Annotated[str, typer.Option(help="How long the node may be a member: 30d, 365d.")] = "365d",
    authority: AuthorityDir = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Print a join token, which lets exactly one node in.

    Without --key the token holds that node's private key: give it to nobody else. Used twice it makes one
    member twice, which one of the two reports, never two. Start the node with
    `palaver serve --set cluster.invitation=TOKEN`, or with file:PATH instead of the token.

    \b
    Examples:
      palaver cluster invite --name b --seed 192.0.2.1:7882 > b.token
      palaver cluster invite --key $(palaver cluster id) --ttl 30d
    """
    from palaver.cli.duration import seconds
    from palaver.cluster.bootstrap import parse_seed
    from palaver.core import node_id_of

    try:
        ttl_seconds = int(seconds(ttl))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--ttl") from None
    if not ttl_seconds:
        raise typer.BadParameter("must be above 0", param_hint="--ttl")
    for one in seed or ():
        try:
            parse_seed(one)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--seed") from None
    public_key = None if key is None else _key(key)
    invitation = _open(authority, state_dir).invite(
        name=name, ttl_seconds=ttl_seconds, seeds=seed or (), public_key=public_key
    )
    if json:
        say_json(
            {
                "token": invitation.token(),
                "nodeId": node_id_of(invitation.public_key),
                "cluster": invitation.cluster,
                "notAfter": invitation.not_after,
                "holdsKey": bool(invitation.private_key),
            }
        )
    else:
        say(invitation.token())


@cluster.command("id")
def show_id(state_dir: StateDir = None, json: Json = False, verbose: Verbose = False) -> None:
    """Print the public key of the node of this state directory; it is made if there is none.

    Example: palaver cluster invite --key $(palaver cluster id)
    """
    from palaver import settings
    from palaver.cluster import IdentityStore

    directory = settings.state_dir(state_dir, environ=os.environ) / "cluster"
    mine = IdentityStore(directory).keys()
    if json:
        say_json({"publicKey": mine.public_key.hex(), "nodeId": mine.node_id})
    else:
        say(mine.public_key.hex())


@cluster.command("try")
def try_out(
    nodes: Annotated[int, typer.Option(help="How many.", min=1, max=64)] = 5,
    verbose: Verbose = False,
) -> None:
    """Start a cluster on this machine, and watch it until Ctrl-C.

    The nodes are `palaver dev` without media, on free ports, with state that is gone afterwards. Kill one
    (`kill -9`, the pids are printed) and see what the others think.

    Example: palaver cluster try --nodes 5
    """
    from palaver.cli.trial import trial

    trial(nodes)


@keys.command("list")
def list_keys(
    authority: AuthorityDir = None, state_dir: StateDir = None, json: Json = False, verbose: Verbose = False
) -> None:
    """List the authority's keys and the nodes that it let in.

    Example: palaver cluster keys list
    """
    import time

    import msgspec

    ledger = _open(authority, state_dir).ledger
    if json:
        say_json(msgspec.to_builtins(ledger))
        return
    for key in ledger.keys:
        say(f"key   {key.id}  {key.state:<9} {_day(key.created)}  {key.public_key}")
    for node in ledger.nodes:
        state = "banned" if node.banned else "ended" if node.not_after < time.time() else "admitted"
        name = (
            node.name if node.name.isprintable() else ascii(node.name)
        )  # of a ledger from before this was refused
        say(f"node  {node.node_id}  {state:<9} until {_day(node.not_after)}  {name}")


@keys.command()
def rotate(
    tell: Annotated[bool, typer.Option(help="Tell the cluster through the running node.")] = True,
    authority: AuthorityDir = None,
    url: Url = None,
    admin_token: AdminToken = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Make a new key that signs from now on, and new tickets for all nodes.

    The key before goes on to count until it is revoked. The cluster is told through a running node, without a
    restart; `palaver cluster keys tell` repeats it for nodes that were away.

    Example: palaver cluster keys rotate
    """
    opened = _open(authority, state_dir)
    notices = opened.rotate()
    active = opened.ledger.keys[0]
    if not json:
        say(f"{active.id} signs from now on: {active.public_key}")
    told = _tell(notices, url, admin_token, state_dir) if tell else 0
    if json:
        say_json(
            {"key": active.id, "publicKey": active.public_key, "serial": opened.ledger.serial, "told": told}
        )


@keys.command()
def revoke(
    what: Annotated[str, typer.Argument(help="The id of a retiring key, or of a node.")],
    authority: AuthorityDir = None,
    url: Url = None,
    admin_token: AdminToken = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Take a key of the authority out of force, or ban a node for ever.

    The cluster is told through a running node, without a restart. A banned node needs a new key to come back.

    \b
    Examples:
      palaver cluster keys revoke 1f2e3d4c
      palaver cluster keys revoke 5a1b…32 hex digits
    """
    import base64

    opened = _open(authority, state_dir)
    node = find_node(
        url, admin_token, state_dir
    )  # before anything is decided: a ban that nobody hears is none
    if len(what) == 32:
        ban = opened.ban(what)
        told = node.post("/v1/cluster/credentials", {"ban": base64.b64encode(ban).decode()})["taken"]
    else:
        told = _send(node, opened.revoke_key(what))
    if json:
        say_json({"revoked": what, "told": told})
    else:
        say(f"{what} is revoked")


@keys.command("tell")
def tell_again(
    authority: AuthorityDir = None,
    url: Url = None,
    admin_token: AdminToken = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Tell the cluster the keys in force and all tickets once more, for nodes that were away.

    Example: palaver cluster keys tell
    """
    told = _tell(_open(authority, state_dir).notices(), url, admin_token, state_dir)
    if json:
        say_json({"told": told})


def _tell(notices: list[bytes], url: str | None, token: str | None, state_dir: Path | None) -> int:
    from palaver.cli.local_node import NodeError

    try:
        return _send(find_node(url, token, state_dir), notices)
    except NodeError as error:
        complain(f"palaver: the cluster has not been told: {error}; repeat with `palaver cluster keys tell`")
        raise typer.Exit(1) from None


def _send(node: Any, notices: list[bytes]) -> int:
    import base64

    encoded = [base64.b64encode(notice).decode() for notice in notices]
    taken = 0
    for start in range(0, len(encoded), 100):
        body = {"notices": encoded[start : start + 100]}
        taken += node.post("/v1/cluster/credentials", body)["taken"]
    return taken


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise typer.BadParameter("a public key has 64 hex digits", param_hint="--key")
    return key


def _day(seconds: int) -> str:
    import time

    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
