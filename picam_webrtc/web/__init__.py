"""The HTTP side: page, signalling, access, metrics."""
