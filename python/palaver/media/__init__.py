"""Media nodes behind signaling's port. Importing this package imports aiortc; do so only where media is
served.
"""

from palaver.media.node import AiortcMediaNode

__all__ = ["AiortcMediaNode"]
