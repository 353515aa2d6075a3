"""Other people's secrets, kept so that they can be used and not be read: sealed with a
key that is made of the server's own secret."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class CannotOpen(Exception):
    """The server's secret is another one than that with which this was sealed."""


def seal(server_secret: str, text: str) -> bytes:
    """The text, sealed."""
    return _box(server_secret).encrypt(text.encode())


def unseal(server_secret: str, sealed: bytes) -> str:
    """The text again. CannotOpen under another secret."""
    try:
        return _box(server_secret).decrypt(sealed).decode()
    except InvalidToken:
        raise CannotOpen from None


def _box(server_secret: str) -> Fernet:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"audience.sealing")
    return Fernet(base64.urlsafe_b64encode(derive.derive(server_secret.encode())))
