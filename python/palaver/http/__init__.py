"""The side port: what operators and browsers fetch over plain HTTP. aiohttp is imported when it starts."""

from palaver.http.admin import AdminApi as AdminApi
from palaver.http.admin import Hooks as Hooks
from palaver.http.cluster_api import ClusterPort as ClusterPort
from palaver.http.key_sets import KeySets as KeySets
from palaver.http.side_port import SidePort as SidePort
