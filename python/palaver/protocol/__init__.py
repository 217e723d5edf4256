"""The words on the wire: methods, events, errors and how they are encoded. Nothing here decides anything."""
