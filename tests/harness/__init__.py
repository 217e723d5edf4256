"""What tests share: a real node on free ports, tokens for it, clients."""
