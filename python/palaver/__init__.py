"""Palaver: a distributed WebRTC signaling node."""
