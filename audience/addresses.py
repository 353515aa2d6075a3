"""Addresses that may be refused at a sign-up: mailboxes for a few minutes, and those
that stand for an office rather than a person. What neither list knows is taken; who
must be sure asks for confirmation instead."""

from collections.abc import Collection
from enum import StrEnum

from disposable_email_domains import blocklist

from audience.errors import InvalidInput

ROLES = frozenset(
    """
    abuse accounting accounts admin administrator billing careers compliance contact
    enquiries help helpdesk hello hostmaster hr info inquiries invoices jobs legal mail
    mailer-daemon marketing media no-reply noc noreply office orders postmaster press
    privacy root sales security service spam staff support sysadmin team webmaster
    """.split()  # noqa: SIM905 - easier to read and to add to
)


class RefusedAddress(StrEnum):
    """Kinds of e-mail addresses that may be refused."""

    DISPOSABLE = "DISPOSABLE"
    ROLE = "ROLE"


def check_address(
    email: str, refused: Collection[RefusedAddress], path: tuple[str, ...]
) -> None:
    """InvalidInput when the address, in its normal form, is of a refused kind."""
    local, _, domain = email.rpartition("@")
    if RefusedAddress.DISPOSABLE in refused and _is_disposable(domain):
        raise InvalidInput(
            "Addresses that last only minutes are not taken here: use a lasting one.",
            path,
        )
    if RefusedAddress.ROLE in refused and local.partition("+")[0] in ROLES:
        raise InvalidInput(
            "This address seems to stand for an office: use a personal one.", path
        )


def _is_disposable(domain: str) -> bool:
    """Whether the list has the domain, or one that it is under."""
    labels = domain.split(".")
    return any(".".join(labels[start:]) in blocklist for start in range(len(labels)))
