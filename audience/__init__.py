"""The rules of an audience: pure functions and data, no I/O and no framework."""
