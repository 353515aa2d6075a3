"""How messages reach people. Without a mail server set up, they are printed, so that
their links can be followed."""

import sys

from gql.context import Deliver
from resolvers.db import Document


def deliver_to_console(address: str) -> Deliver:
    """Prints what would be sent; links begin with `address`."""

    async def deliver(message: Document) -> None:
        sys.stdout.write(written(message, address))
        sys.stdout.flush()

    return deliver


def confirmation_link(address: str, token: str) -> str:
    """Where the person confirms a sign-up."""
    return f"{address}/confirm?token={token}"


def written(message: Document, address: str) -> str:
    """A confirmation message as it stands on the console."""
    link = confirmation_link(address, message["token"])
    return f"To {message['to']}, please confirm your sign-up: {link}\n"
