"""Everything that reads or writes MongoDB."""
