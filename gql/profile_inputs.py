"""What callers say about people: who is meant, and what is to be kept about them."""

from typing import Any

import strawberry

from audience.identity import Identity, identity
from audience.profiles import ProfileChange, profile_change
from gql.ids import Kind, stored_id
from gql.mutations import given
from gql.scalars import JSON


@strawberry.input(
    description="Who is meant. At least one identifier; when several are given they "
    "must not belong to different profiles."
)
class ProfileIdentityInput:
    email: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="E-mail address, in any case: at most 254 characters."
    )
    phone_number: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Phone number with its country code, such as +14155550132.",
    )
    external_id: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Your own id of the person: at most 255 characters.",
    )
    id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        default=None, description="The profile's id, which starts with prf_."
    )
    anonymous_id: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The id of a visitor who is not known yet, such as a cookie's: at "
        "most 255 characters.",
    )


@strawberry.input(
    description="Where someone is. What is absent stays as it is; null clears it. "
    "Texts have at most 255 characters."
)
class LocationInput:
    address1: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Street and number."
    )
    address2: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="What else the address needs, such as the floor."
    )
    city: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="City."
    )
    region: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="State, province or county."
    )
    country: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Country; a two-letter code such as DE serves segments best.",
    )
    zip: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Postal code."
    )
    timezone: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Time zone, such as Europe/Berlin."
    )
    latitude: strawberry.Maybe[float | None] = strawberry.field(
        default=None, description="Degrees north, from -90 to 90."
    )
    longitude: strawberry.Maybe[float | None] = strawberry.field(
        default=None, description="Degrees east, from -180 to 180."
    )
    ip: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="The IP address last seen."
    )


@strawberry.input
class PersonInput:
    email: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="E-mail address: at most 254 characters."
    )
    phone_number: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Phone number with its country code, such as +14155550132.",
    )
    external_id: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Your own id of the person."
    )
    anonymous_id: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The id under which the person was seen before they were known. "
        "What that visitor did becomes theirs.",
    )
    first_name: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="First name."
    )
    last_name: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Last name."
    )
    organization: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Company or organization."
    )
    title: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Job title."
    )
    image: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Address of a picture, http or https: at most 2,048 characters.",
    )
    locale: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Language as BCP 47 tag, such as en-GB."
    )
    location: strawberry.Maybe[LocationInput | None] = strawberry.field(
        default=None, description="Where the person is; null clears all of it."
    )
    properties: strawberry.Maybe[JSON | None] = strawberry.field(
        default=None,
        description="Custom properties, an object, merged key by key with those that "
        "are there. Names have at most 128 characters, no full stop, and do not start "
        "with $; at most 500 properties, 10 levels and 200,000 bytes in a call.",
    )


@strawberry.input(
    description="A person and what to keep about them. At least one identifier is "
    "needed; it finds the profile, or makes it. What is absent stays as it is; null "
    "clears it, but for identifiers, which are replaced and never cleared. Texts have "
    "at most 255 characters."
)
class UpsertProfileInput(PersonInput):
    id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        default=None,
        description="The profile's id, which must exist. With it, the other "
        "identifiers are changed to those given.",
    )
    unset_properties: strawberry.Maybe[list[str] | None] = strawberry.field(
        default=None,
        description="Names of custom properties to remove: at most 500.",
    )


@strawberry.input(
    description="Who the visitor is, and what to keep about them. At least one "
    "identifier is needed. Nothing is cleared, and an identifier that the profile has "
    "is not changed. Texts have at most 255 characters."
)
class IdentifyInput(PersonInput):
    pass


_IDENTIFIERS = ("email", "phone_number", "external_id", "anonymous_id")

_ATTRIBUTES = {
    "email": "email",
    "phone_number": "phoneNumber",
    "external_id": "externalId",
    "anonymous_id": "anonymousId",
    "first_name": "firstName",
    "last_name": "lastName",
    "organization": "organization",
    "title": "title",
    "image": "image",
    "locale": "locale",
    "properties": "properties",
    "unset_properties": "unsetProperties",
}

_PLACES = (
    "address1",
    "address2",
    "city",
    "region",
    "country",
    "zip",
    "timezone",
    "latitude",
    "longitude",
    "ip",
)


def identity_of(who: ProfileIdentityInput) -> Identity:
    """The checked identity that an input means."""
    return identity(
        id=_profile_id(who.id),
        **{name: given(getattr(who, name)) for name in _IDENTIFIERS},
    )


def change_of(change: UpsertProfileInput | IdentifyInput) -> ProfileChange:
    """The checked change that an input asks for."""
    said: dict[str, Any] = {
        name: value.value
        for field, name in _ATTRIBUTES.items()
        if (value := getattr(change, field, None)) is not None
    }
    if isinstance(change, UpsertProfileInput) and change.id is not None:
        said["id"] = _profile_id(change.id)
    if change.location is not None:
        said["location"] = _place_of(change.location.value)
    return profile_change(said)


def _place_of(location: LocationInput | None) -> dict[str, Any] | None:
    if location is None:
        return None
    return {
        name: value.value
        for name in _PLACES
        if (value := getattr(location, name)) is not None
    }


def _profile_id(maybe: Any) -> str | None:
    value = given(maybe)
    return None if value is None else stored_id(value, Kind.PROFILE, "id")
