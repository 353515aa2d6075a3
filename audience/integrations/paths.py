"""Where a value stands in a call's body: JSONPath (RFC 9535), without the parts whose
cost grows faster than the body."""

import re
from functools import lru_cache
from typing import Any

from jsonpath_rfc9535 import JSONPathError, JSONPathQuery, compile

MAX_PATH = 300

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_COSTLY = re.compile(r"\.\.|\?.*\?|\b(?:match|search)\s*\(", re.DOTALL)


def check_path(path: str) -> str | None:
    """What is wrong with a path, or None."""
    if not path.strip() or len(path) > MAX_PATH:
        return f"A path has 1 to {MAX_PATH} characters."
    if _COSTLY.search(_QUOTED.sub("''", path)):
        return "A path has at most one filter, no .. and no regular expressions."
    try:
        _compiled(path)
    except JSONPathError as error:
        reason = str(error).partition(", line")[0]
        return (
            f"This is not a JSONPath ({reason}): it should look like "
            "$.customer.email, or $.answers[0].text."
        )
    return None


def value_at(path: str, body: Any) -> Any:
    """The first value that the path leads to; None when there is none."""
    for node in _compiled(path).finditer(body):
        return node.value
    return None


@lru_cache(maxsize=2_048)
def _compiled(path: str) -> JSONPathQuery:
    text = path.strip()
    return compile(text if text.startswith("$") else f"$.{text}")
