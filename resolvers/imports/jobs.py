"""What the rows of one import have in common: its list, what it says of consent, and
the ids of all that it makes."""

import hashlib
from dataclasses import dataclass

from bson import ObjectId

from audience.consent import Channel, Method, Statement, Status
from audience.evidence import Evidence
from audience.rows import Person
from resolvers.consent import ConsentChange
from resolvers.db import Document
from resolvers.imports.starting import StatedConsent


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for every row of an import."""

    id: ObjectId
    list_id: ObjectId | None
    consent: dict[Channel, StatedConsent]
    headers: dict[str, str]
    profile_prefix: bytes
    line_prefixes: dict[Channel, bytes]

    def profile_id(self, row: int) -> ObjectId:
        """The id of the profile that the row makes if it is new."""
        return ObjectId(self.profile_prefix + row.to_bytes(3, "big"))

    def row_of(self, profile_id: ObjectId) -> int | None:
        """The row that has made the profile, if this import has."""
        if profile_id.binary[:9] != self.profile_prefix:
            return None
        return int.from_bytes(profile_id.binary[9:], "big")


def job_of(document: Document) -> Job:
    """The job of a stored import."""
    import_id: ObjectId = document["_id"]

    def prefix(of: str) -> bytes:
        digest = hashlib.sha256(import_id.binary + of.encode()).digest()
        return import_id.binary[:4] + digest[:5]

    consent = {
        Channel(each["channel"]): StatedConsent(
            Channel(each["channel"]),
            each["source"],
            each.get("at"),
            each.get("consent_text"),
            each.get("when"),
        )
        for each in document["consent"]
    }
    headers = {
        each["target"]: each["header"]
        for each in document["columns"]
        if "target" in each
    }
    return Job(
        import_id,
        document.get("list_id"),
        consent,
        headers,
        prefix("profile"),
        {channel: prefix(channel) for channel in consent},
    )


def consent_changes(
    job: Job, person: Person, profile_id: ObjectId
) -> list[ConsentChange]:
    """What the row says of consent. A channel for which it has no address is passed
    over."""
    changes = []
    for channel, at in person.agreed:
        address = "email" if channel is Channel.EMAIL else "phone_number"
        if address not in person.fields:
            continue
        stated = job.consent[channel]
        said = Statement(
            channel,
            Status.SUBSCRIBED,
            Method.IMPORT,
            stated.source,
            at or stated.at,
        )
        proof = Evidence(consent_text=stated.consent_text)
        changes.append(ConsentChange(profile_id, said, proof, job.list_id))
    return changes


def add(counts: dict[str, int], name: str, count: int) -> None:
    counts[name] = counts.get(name, 0) + count
