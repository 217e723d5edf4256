"""The state of rooms, pure: who is in them, what they send and receive, and the one log of what happened."""
