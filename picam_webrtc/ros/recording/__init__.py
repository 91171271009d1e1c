"""Topics into a recording."""
