"""The cluster: how nodes find each other, who may join, and what this node knows of the others."""

from palaver.cluster.authority import Authority as Authority
from palaver.cluster.bootstrap import BootstrapConfig as BootstrapConfig
from palaver.cluster.cluster import Cluster as Cluster
from palaver.cluster.identity import IdentityStore as IdentityStore
from palaver.cluster.invitation import Invitation as Invitation
from palaver.cluster.invitation import read_invitation as read_invitation
from palaver.cluster.journal import EventJournal as EventJournal
from palaver.cluster.manager import ClusterManager as ClusterManager
from palaver.cluster.member import ClusterMember as ClusterMember
from palaver.cluster.member import Vitals as Vitals
from palaver.cluster.memory_transport import MemoryNetwork as MemoryNetwork
from palaver.cluster.memory_transport import MemoryTransport as MemoryTransport
from palaver.cluster.notice import NoticeError as NoticeError
from palaver.cluster.transport import Transport as Transport
from palaver.cluster.transport import TransportError as TransportError
from palaver.cluster.udp_transport import UdpTransport as UdpTransport
from palaver.core import NodeMetadata as NodeMetadata
from palaver.core import StateStore as StateStore
from palaver.core import WriteAheadLog as WriteAheadLog
