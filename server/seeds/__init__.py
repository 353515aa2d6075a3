"""Ready-made data to try the server with."""
