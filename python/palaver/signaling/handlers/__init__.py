"""One file per handler. Handlers decide; they do not import one another and do no I/O."""
