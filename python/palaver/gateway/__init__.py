"""The gateway: WebSocket clients on one side, whole messages on the other. Only here is picows imported."""

from palaver.gateway.client_gateway import ClientGateway
from palaver.gateway.connection import WebSocketConnection
from palaver.gateway.counters import GatewayCounters
from palaver.gateway.message_handler import MessageHandler

__all__ = ["ClientGateway", "GatewayCounters", "MessageHandler", "WebSocketConnection"]
