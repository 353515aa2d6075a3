"""Sends the messages that wait in the outbox, through a mail server."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from pymongo.errors import PyMongoError

from audience.errors import AudienceError
from resolvers.db import Database, Document
from resolvers.outbox import drop_message, postpone_message, take_message
from server.messages import Sender, envelope_of, mail_of
from server.settings import Settings

LOOK_SECONDS = 5.0
TIMEOUT_SECONDS = 30.0
RETRIES = (30, 120, 600, 1_800, 3_600)  # seconds; then every hour

_log = structlog.get_logger("audience")


@dataclass(slots=True)
class Postman:
    """Sends what waits, as soon as `wake` is set, and looks now and then."""

    db: Database
    settings: Settings
    sender: Sender
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Goes on until cancelled."""
        while True:
            self.wake.clear()
            try:
                await self.send_waiting()
            except (SMTPException, OSError) as error:
                _log.warning("mail server out of reach", reason=str(error))
            except PyMongoError as error:
                _log.warning("mail postponed", reason=str(error)[:200])
            except Exception:  # noqa: BLE001 - the next round is not to be lost
                _log.exception("sending mail failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self.wake.wait()

    async def send_waiting(self) -> int:
        """How many messages were sent, over one connection."""
        sent = 0
        message = await take_message(self.db, datetime.now(UTC))
        if message is None:
            return sent
        try:
            async with self._connection() as smtp:
                while message is not None:
                    sent += await self._send(smtp, message)
                    message = await take_message(self.db, datetime.now(UTC))
        except (SMTPException, OSError, asyncio.CancelledError):
            if message is not None:
                await self._postpone(message)
            raise
        return sent

    def _connection(self) -> SMTP:
        settings = self.settings
        password = settings.smtp_password
        return SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user,
            password=password.get_secret_value() if password else None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            timeout=TIMEOUT_SECONDS,
        )

    async def _send(self, smtp: SMTP, message: Document) -> bool:
        now = datetime.now(UTC)
        kind = message["kind"]
        try:
            mail = mail_of(kind, message["to"], message["content"], self.sender, now)
            sender, recipient, whole = envelope_of(mail)
            # Only an address that needs it asks the mail server for more.
            options = [] if recipient.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
            await smtp.sendmail(sender, recipient, whole, mail_options=options)
        except (ValueError, AudienceError, SMTPNotSupported) as error:
            _log.warning("message cannot be written", kind=kind, reason=str(error))
        except (SMTPRecipientsRefused, SMTPResponseException) as error:
            codes = _codes(error)
            if isinstance(error, SMTPSenderRefused) or min(codes) < 500:
                _log.warning("message postponed", kind=kind, codes=codes)
                await self._postpone(message)
                return False
            _log.warning("message refused", kind=kind, codes=codes)
        except (SMTPException, OSError):
            raise
        except Exception:  # noqa: BLE001 - others are sent all the same
            _log.exception("message failed", kind=kind)
            await self._postpone(message)
            return False
        else:
            await drop_message(self.db, message["_id"])
            _log.info("message sent", kind=kind)
            return True
        await drop_message(self.db, message["_id"])
        return False

    async def _postpone(self, message: Document) -> None:
        wait = RETRIES[min(message["attempts"], len(RETRIES)) - 1]
        next_at = datetime.now(UTC) + timedelta(seconds=wait)
        await postpone_message(self.db, message["_id"], next_at)


def _codes(error: SMTPRecipientsRefused | SMTPResponseException) -> list[int]:
    """The mail server's answers; its words may name the recipient."""
    if isinstance(error, SMTPRecipientsRefused):
        return [each.code for each in error.recipients]
    return [error.code]
