"""`python -m server` is the `audience` command."""

from server.cli import main

main()
