"""What to do about a message: decode, admit, route, handle. Pure: no I/O, no clock, no chance of its own."""
