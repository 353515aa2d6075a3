"""The messages that people get, as mail: text and HTML, and the headers by which mail
programs offer to unsubscribe."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, make_msgid, parseaddr

from email_validator import EmailNotValidError, validate_email

from audience.consent import Channel
from audience.tokens import Tokens, leave_token, read_confirmation
from resolvers.db import Document
from server.html import TEMPLATES

CONFIRMATION = "confirmation"
PREFERENCES = "preferences"
ERASURE = "erasure"


# Long addresses in headers stay whole: mail programs take them as they stand.
_HEADER_LENGTH = 998


@dataclass(frozen=True, slots=True)
class Sender:
    """Who messages come from, and where their links lead."""

    mail_from: str
    address: str
    tokens: Tokens

    @property
    def name(self) -> str:
        """The name in `mail_from`, or its address without one."""
        name, address = parseaddr(self.mail_from)
        return name or address


def envelope_of(message: EmailMessage) -> tuple[str, str, bytes]:
    """The sender's and the recipient's bare addresses, and the whole message."""
    policy = message.policy.clone(max_line_length=_HEADER_LENGTH)
    (sender,), (recipient,) = message["From"].addresses, message["To"].addresses
    return sender.addr_spec, recipient.addr_spec, message.as_bytes(policy=policy)


def mail_of(
    kind: str, to: str, content: Document, sender: Sender, now: datetime
) -> EmailMessage:
    """The message for one address. ValueError when it cannot be written as mail."""
    return _KINDS[kind](to, content, sender, now)


def unsubscribe_link(address: str, token: str) -> str:
    """Where a person leaves by one press of a button, or a mail program for them."""
    return f"{address}/unsubscribe?token={token}"


def preferences_link(address: str, token: str) -> str:
    """Where a person sees and changes what they get."""
    return f"{address}/preferences?token={token}"


def erasure_link(address: str, token: str) -> str:
    """Where a person has themselves erased, by one press of a button."""
    return f"{address}/erase?token={token}"


def _confirmation(
    to: str, content: Document, sender: Sender, now: datetime
) -> EmailMessage:
    claim = read_confirmation(sender.tokens, content["token"], now)
    leave = leave_token(sender.tokens, claim.profile_id, channels=[Channel.EMAIL])
    unsubscribe = unsubscribe_link(sender.address, leave)
    message = _written(
        "confirmation",
        to,
        f"Please confirm your sign-up to {_line(content['list'])}",
        sender,
        now,
        list=_line(content["list"]),
        link=f"{sender.address}/confirm?token={content['token']}",
        unsubscribe=unsubscribe,
    )
    message["List-Unsubscribe"] = f"<{unsubscribe}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return message


def _preferences(
    to: str, content: Document, sender: Sender, now: datetime
) -> EmailMessage:
    link = preferences_link(sender.address, content["token"])
    subject = "Your link to what you get from us"
    return _written("preferences", to, subject, sender, now, link=link)


def _erasure(to: str, content: Document, sender: Sender, now: datetime) -> EmailMessage:
    link = erasure_link(sender.address, content["token"])
    subject = "Confirm that your data is to be erased"
    return _written("erasure", to, subject, sender, now, link=link)


_KINDS: dict[str, Callable[[str, Document, Sender, datetime], EmailMessage]] = {
    CONFIRMATION: _confirmation,
    PREFERENCES: _preferences,
    ERASURE: _erasure,
}


def _written(
    template: str,
    to: str,
    subject: str,
    sender: Sender,
    now: datetime,
    **values: str,
) -> EmailMessage:
    recipient = _recipient(to)
    # Only an address that needs it asks the mail server for more than ASCII.
    policy = SMTP if recipient.addr_spec.isascii() else SMTPUTF8
    message = EmailMessage(policy)
    name, address = parseaddr(sender.mail_from)
    message["From"] = Address(_line(name), addr_spec=address)
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=address.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    filled = {"sender": sender.name, "subject": subject, **values}
    text = TEMPLATES.get_template(f"mail/{template}.txt").render(filled)
    html = TEMPLATES.get_template(f"mail/{template}.html").render(filled)
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def _recipient(to: str) -> Address:
    try:
        valid = validate_email(to, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    if valid.ascii_email:
        return Address(addr_spec=valid.ascii_email)
    return Address(username=valid.local_part, domain=valid.ascii_domain)


def _line(text: str) -> str:
    """One line without control characters, nor encoded words (RFC 2047), which would
    be decoded to some: fit for a header."""
    line = " ".join(text.split()).replace("=?", "= ?")
    return "".join(mark if mark.isprintable() else " " for mark in line)
