"""The one door to aiortc for everybody who needs a peer connection: no public STUN, chosen addresses."""
