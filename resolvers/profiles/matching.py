"""Which profile an identity means, among those that a batch has read: the rules of
finding, adding, replacing and refusing identifiers. All in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bson import ObjectId

from audience.errors import Code, Conflict, NotFound, Problem
from audience.identity import MAX_ANONYMOUS_IDS, PATHS, Identity
from resolvers.db import Document
from resolvers.ids import object_id

# The stored identifiers, the strongest first.
KNOWN = ("external_id", "email", "phone_number")
# What the words for the search are made of.
SEARCHED = (*KNOWN, "first_name", "last_name")

_WORDS = {
    "id": "id",
    "external_id": "external id",
    "email": "e-mail address",
    "phone_number": "phone number",
    "anonymous_id": "anonymous id",
}

Matches = Sequence[tuple[str, "Known | None"]]


class Later(Exception):
    """The identity needs what this batch is only about to write: try it after."""


@dataclass(slots=True)
class Known:
    """A profile as the batch sees it: as read, or about to be made. `document` is
    kept as it will be; the rest says what is to be written."""

    document: Document
    is_new: bool = False
    guard: Document = field(default_factory=dict)
    sets: Document = field(default_factory=dict)
    unsets: set[str] = field(default_factory=set)
    anonymous_ids: list[str] = field(default_factory=list)
    merges: list[ObjectId] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Holds while what the search words were made of is as it was read.
        self.guard = {name: self.document.get(name) for name in SEARCHED}

    @property
    def id(self) -> ObjectId:
        identifier: ObjectId = self.document["_id"]
        return identifier

    def is_anonymous(self) -> bool:
        return not any(name in self.document for name in KNOWN)


class Directory:
    """The profiles of a batch, by each of their identifiers."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._ids: dict[ObjectId, Known] = {}
        self._values: dict[tuple[str, str], Known] = {}
        for document in documents:
            self.enter(Known(document))

    def enter(self, known: Known) -> None:
        """Makes the profile findable by what it has now."""
        document = known.document
        self._ids[known.id] = known
        for former in document.get("merged_ids", ()):
            self._ids[former] = known
        for name in KNOWN:
            if name in document:
                self._values[name, document[name]] = known
        for anonymous_id in document.get("anonymous_ids", ()):
            self._values["anonymous_id", anonymous_id] = known

    def forget(self, name: str, value: str) -> None:
        """Nobody has this identifier any more."""
        self._values.pop((name, value), None)

    def matches(self, identity: Identity) -> Matches:
        """The id and known identifiers that were given, the strongest first, each
        with its profile."""
        found: list[tuple[str, Known | None]] = []
        if identity.id is not None:
            found.append(("id", self._ids.get(object_id(identity.id))))
        found += (
            (name, self._values.get((name, value))) for name, value in identity.known()
        )
        return found

    def anonymous(self, identity: Identity) -> Known | None:
        """The profile of the anonymous id that was given."""
        if identity.anonymous_id is None:
            return None
        return self._values.get(("anonymous_id", identity.anonymous_id))


def place(
    directory: Directory,
    identity: Identity,
    now: datetime,
    *,
    replaces: bool,
    is_trusted: bool,
    check: Callable[[Known], None],
) -> Known:
    """The profile of the identity, made or added to in memory as needed; Conflict or
    NotFound when there can be none, or what `check` raises of the profile, and then
    nothing has changed.

    With `replaces` an identifier gives way to a new one, but only where the profile
    was found by a stronger one: the id, then the external id, e-mail, phone.

    Whoever is not trusted names people who are new or anonymous; to a person who is
    known they add no identifier but an anonymous id. Who could add an address would
    get what is sent there.
    """
    matches = directory.matches(identity)
    known = _single(matches)
    anonymous = directory.anonymous(identity)
    if known is None and anonymous is not None:
        if _fits(anonymous, identity, is_trusted=is_trusted):
            known = anonymous
        elif replaces:
            raise _others_device(anonymous)
    if known is None:
        known = Known(_blank(now), is_new=True)
        anonymous = None
    _refuse_weaker(known, matches)
    check(known)
    if anonymous is not None and anonymous is not known:
        _join(known, anonymous, strict=replaces)
    may_name = is_trusted or known.is_new or known.is_anonymous()
    for name, value in identity.known() if may_name else ():
        current = known.document.get(name)
        if current is None or (replaces and current != value):
            if current is not None:
                directory.forget(name, current)
            known.document[name] = known.sets[name] = value
    if identity.anonymous_id is not None and directory.anonymous(identity) is None:
        _add_anonymous(known, identity.anonymous_id)
    directory.enter(known)
    return known


def _single(matches: Matches) -> Known | None:
    """The one profile to which all identifiers belong that somebody has."""
    if matches and matches[0] == ("id", None):
        raise NotFound("There is no profile with this id.", ("id",))
    found = [(name, known) for name, known in matches if known is not None]
    if not found:
        return None
    strongest, known = found[0]
    problems = [
        Problem(
            Code.CONFLICT,
            f"This {_WORDS[name]} belongs to the profile prf_{other.id}, this "
            f"{_WORDS[strongest]} to the profile prf_{known.id}: merge the two "
            "profiles, or give one of the identifiers only.",
            (PATHS[name],),
        )
        for name, other in found[1:]
        if other is not known
    ]
    if problems:
        raise Conflict.of(problems)
    return known


def _fits(anonymous: Known, identity: Identity, *, is_trusted: bool) -> bool:
    """Whether the person of an anonymous id may be who has these identifiers, all of
    them free: only when none of them would have to change, and on the word of a
    caller who is not trusted none has to be added to a known person."""
    named = any(True for _ in identity.known())
    if named and not (is_trusted or anonymous.is_anonymous()):
        return False
    return all(name not in anonymous.document for name, _ in identity.known())


def _refuse_weaker(known: Known, matches: Matches) -> None:
    """A weaker identifier does not tell whose the stronger one is: the person found
    by a phone number who has another external id is somebody else."""
    for name, match in matches:
        if match is not None:
            return
        if name in known.document:
            raise Conflict(
                f"The profile found, prf_{known.id}, has another {_WORDS[name]}: give "
                "its id to change it.",
                (PATHS[name],),
            )


def _join(known: Known, anonymous: Known, *, strict: bool) -> None:
    """Takes in an anonymous profile. The anonymous id of another person stays with
    them: two people may share a device."""
    if anonymous.is_anonymous():
        if anonymous.is_new or known.is_new:
            raise Later
        if anonymous.id not in known.merges:
            known.merges.append(anonymous.id)
    elif strict:
        raise _others_device(anonymous)


def _others_device(anonymous: Known) -> Conflict:
    return Conflict(
        f"This anonymous id belongs to another profile, prf_{anonymous.id}: merge the "
        "two profiles, or leave the anonymous id out.",
        ("anonymousId",),
    )


def _add_anonymous(known: Known, anonymous_id: str) -> None:
    have = known.document.setdefault("anonymous_ids", [])
    if len(have) < MAX_ANONYMOUS_IDS:
        have.append(anonymous_id)
        known.anonymous_ids.append(anonymous_id)


def _blank(now: datetime) -> Document:
    return {
        "_id": ObjectId(),
        "properties": {},
        "consent": {},
        "lists": [],
        "summary": {},
        "created_at": now,
        "updated_at": now,
    }
