"""A coded picture becomes packets on their way to one viewer."""
