"""The process: settings, HTTP, command line, embedded database."""
