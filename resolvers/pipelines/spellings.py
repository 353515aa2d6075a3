"""The ways to write a text when case is ignored: what an index, which tells case apart,
has to be asked for."""

from collections.abc import Sequence
from functools import cache
from itertools import islice, product
from math import prod

# Letters beyond have no case.
_CASED = 0x1F000


def spellings(text: str, most: int) -> list[str] | None:
    """Every spelling, some of which nobody would choose; None when they are more than
    `most`."""
    letters = [_letter(each) for each in text]
    if prod(map(len, letters)) > most:
        return None
    return ["".join(each) for each in product(*letters)]


def beginnings(text: str, most: int) -> list[str]:
    """Every spelling of as much of the text's beginning as has at most so many."""
    letters = [_letter(each) for each in text]
    count = 1
    for length, letter in enumerate(letters):
        count *= len(letter)
        if count > most:
            return ["".join(each) for each in product(*islice(letters, length))]
    return ["".join(each) for each in product(*letters)]


def _letter(letter: str) -> Sequence[str]:
    return _letters().get(letter, letter)


@cache
def _letters() -> dict[str, str]:
    """For each letter that has a case all that are equal to it."""
    folded: dict[str, str] = {}
    for each in map(chr, range(_CASED)):
        alone = _folded(each)
        if alone != each:
            folded[alone] = folded.get(alone, alone) + each
    return {letter: letters for letters in folded.values() for letter in letters}


def _folded(letter: str) -> str:
    """The letter that stands for all cases of one; a letter that would become two
    stays one."""
    for folded in (letter.casefold(), letter.lower()):
        if len(folded) == 1:
            return folded
    return letter
