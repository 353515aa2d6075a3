"""Regular expressions for text tests. What the author wrote is escaped, but for their
own regular expressions, which were checked when they were read."""

import re
from collections.abc import Iterator, Sequence

from audience.conditions.phones import phone_pattern
from audience.plan.tree import TextTest

# One expression may be at most 32,764 bytes long.
_LONGEST = 8_000


def patterns_of(test: TextTest) -> list[str]:
    """Expressions of which one has to match, case ignored."""
    match test.kind:
        case "equals":
            return list(whole_texts(test.texts))
        case "contains":
            return [re.escape(text) for text in test.texts]
        case "startsWith":
            return [rf"\A{re.escape(text)}" for text in test.texts]
        case "endsWith":
            return [rf"{re.escape(text)}\z" for text in test.texts]
        case "matches":
            return list(test.texts)
        case "phone":
            countries = {text.upper() for text in test.texts}
            return [rf"\A(?:{phone_pattern(each)})" for each in sorted(countries)]


def whole_texts(texts: Sequence[str]) -> Iterator[str]:
    """Expressions that match exactly the texts, several in one."""
    waiting: list[str] = []
    for text in texts:
        escaped = re.escape(text)
        if waiting and sum(map(len, waiting)) + len(escaped) > _LONGEST:
            yield rf"\A(?:{'|'.join(waiting)})\z"
            waiting = []
        waiting.append(escaped)
    if len(waiting) == 1:
        yield rf"\A{waiting[0]}\z"
    elif waiting:
        yield rf"\A(?:{'|'.join(waiting)})\z"
