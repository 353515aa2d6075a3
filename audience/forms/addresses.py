"""Addresses that a form may refuse: mailboxes for a few minutes, and those that stand
for an office rather than a person. Both lists are short on purpose; a form that must
be sure asks for confirmation instead."""

from audience.errors import InvalidInput
from audience.forms.definitions import RefusedAddress

DISPOSABLE_DOMAINS = frozenset(
    """
    10minutemail.com 10minutemail.net 20minutemail.com 33mail.com anonaddy.me
    burnermail.io discard.email dispostable.com emailondeck.com fakeinbox.com
    fakemail.net getairmail.com getnada.com grr.la guerrillamail.biz guerrillamail.com
    guerrillamail.de guerrillamail.info guerrillamail.net guerrillamail.org
    guerrillamailblock.com inboxbear.com inboxkitten.com incognitomail.org
    jetable.org mail-temp.com mailcatch.com maildrop.cc mailexpire.com mailinator.com
    mailinator.net mailnesia.com mailnull.com mailsac.com mintemail.com moakt.com
    mohmal.com mytemp.email nada.email sharklasers.com spam4.me spamgourmet.com
    temp-mail.io temp-mail.org tempail.com tempmail.com tempmail.dev tempmailo.com
    tempr.email throwawaymail.com trashmail.com trashmail.de trashmail.net trbvm.com
    wegwerfmail.de wegwerfmail.net wegwerfmail.org yopmail.com yopmail.fr yopmail.net
    """.split()  # noqa: SIM905 - easier to read and to add to
)

ROLES = frozenset(
    """
    abuse accounting accounts admin administrator billing careers compliance contact
    enquiries help helpdesk hello hostmaster hr info inquiries invoices jobs legal mail
    mailer-daemon marketing media no-reply noc noreply office orders postmaster press
    privacy root sales security service spam staff support sysadmin team webmaster
    """.split()  # noqa: SIM905 - easier to read and to add to
)


def check_address(
    email: str, refused: tuple[RefusedAddress, ...], path: tuple[str, ...]
) -> None:
    """InvalidInput when the address, in its normal form, is of a refused kind."""
    local, _, domain = email.rpartition("@")
    if RefusedAddress.DISPOSABLE in refused and any(
        domain == each or domain.endswith(f".{each}") for each in DISPOSABLE_DOMAINS
    ):
        raise InvalidInput(
            "Addresses that last only minutes are not taken here: use a lasting one.",
            path,
        )
    if RefusedAddress.ROLE in refused and local.partition("+")[0] in ROLES:
        raise InvalidInput(
            "This address seems to stand for an office: use a personal one.", path
        )
