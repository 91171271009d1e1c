"""Every viewer of a stream gets what it can take."""
