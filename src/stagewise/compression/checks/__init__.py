"""Whether graphs answer as they should, and run where they should."""
