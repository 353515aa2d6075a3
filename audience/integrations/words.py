"""The words that mean something in every text message, as carriers ask for them."""

import unicodedata

STOP = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"}
)
START = frozenset({"START", "UNSTOP"})
HELP = frozenset({"HELP", "INFO"})
YES = frozenset({"YES"})
Y = frozenset({"Y"})
RESERVED = STOP | START | HELP | YES | Y


def folded_word(text: str) -> str:
    """The word as it is compared: whatever its case, and what stands around it."""
    folded = unicodedata.normalize("NFKC", text).upper()
    return folded.strip(" \t\r\n.,!?:;'\"()")
