"""A stable random share of profiles: a number made of the profile's id and the seed.

An id holds the second in which it was made and a counter. Both are mixed in the field
of the whole numbers modulo a prime: multiplied and squared twice, with factors that
the seed gives. The same seed takes 10 % from among its 20 %.
"""

import hashlib
from itertools import islice
from typing import Any

from audience.plan.tree import SampleFact
from resolvers.db import Document

PRIME = 2_147_483_647

_DIGITS = "0123456789abcdef"


def factors_of(seed: str) -> tuple[int, ...]:
    """Five numbers from 1 below the prime."""
    digest = hashlib.sha256(seed.encode()).digest()
    chunks = (digest[start : start + 6] for start in range(0, 30, 6))
    return tuple(int.from_bytes(it) % (PRIME - 1) + 1 for it in islice(chunks, 5))


def sample_number(profile_id: str, seed: str) -> int:
    """The number of a profile, from 0 below the prime; `sample_filter` asks the same
    of the database."""
    seconds, counter = int(profile_id[:8], 16), int(profile_id[-6:], 16)
    by_counter, by_seconds, shift, factor, last = factors_of(seed)
    mixed = counter * by_counter % PRIME + seconds % PRIME * by_seconds % PRIME
    mixed = (mixed + shift) % PRIME
    mixed = (mixed * mixed % PRIME * factor + last) % PRIME
    return mixed * mixed % PRIME


def sample_filter(fact: SampleFact) -> Document:
    """The share of profiles, as a filter."""
    by_counter, by_seconds, shift, factor, last = factors_of(fact.seed)
    counter = {"$add": [_digit(place) for place in range(18, 24)]}
    seconds = {"$toLong": {"$divide": [{"$toLong": {"$toDate": "$_id"}}, 1000]}}
    sum_of = {
        "$add": [
            _modulo({"$multiply": [counter, _long(by_counter)]}),
            _modulo({"$multiply": [_modulo(seconds), _long(by_seconds)]}),
            shift,
        ]
    }
    mixed = {"$add": [{"$multiply": [_squared(_modulo(sum_of)), _long(factor)]}, last]}
    number = _squared(_modulo(mixed))
    with_id = {"vars": {"hex": {"$toString": "$_id"}}}
    return {"$expr": {"$let": with_id | {"in": {"$lt": [number, fact.share * PRIME]}}}}


def _digit(place: int) -> Document:
    digit = {"$indexOfBytes": [_DIGITS, {"$substrBytes": ["$$hex", place, 1]}]}
    return {"$multiply": [{"$toLong": digit}, 16 ** (23 - place)]}


def _squared(number: Document) -> Document:
    square = {"$multiply": ["$$x", "$$x"]}
    return {"$let": {"vars": {"x": number}, "in": _modulo(square)}}


def _modulo(number: Any) -> Document:
    return {"$mod": [number, PRIME]}


def _long(number: int) -> Document:
    return {"$toLong": number}
