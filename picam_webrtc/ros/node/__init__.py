"""What every node has: a lifecycle, parameters, diagnostics, work on demand."""
