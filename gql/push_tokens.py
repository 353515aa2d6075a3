"""The devices on which people get push notifications: registered by apps, read by who
sends."""

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from audience.errors import (
    AudienceError,
    InvalidInput,
    NotAllowed,
    NotFound,
    Problem,
    TooLarge,
)
from audience.evidence import evidence
from audience.identity import Identity
from audience.keys import SIGN_UP
from audience.push import (
    MAX_REMOVED,
    MAX_TOKENS,
    Device,
    Permission,
    Platform,
    Vendor,
    check_token,
    device,
)
from gql.context import Context
from gql.enums import expose
from gql.errors import Payload
from gql.execution import plain
from gql.mutations import accepted, given, mutation
from gql.profile_inputs import ProfileIdentityInput, identity_of
from resolvers.db import Document
from resolvers.profiles import profiles_by_id
from resolvers.push_tokens import register_push_token, unregister_push_tokens

if TYPE_CHECKING:
    from gql.profiles import Profile

expose(
    Platform,
    name="PushPlatform",
    description="What a device runs.",
    values={
        "IOS": "iOS, iPadOS and what else is Apple's.",
        "ANDROID": "Android.",
        "WEB": "A browser.",
    },
)
expose(
    Vendor,
    name="PushVendor",
    description="Who delivers push notifications to a device.",
    values={
        "APNS": "Apple Push Notification service.",
        "FCM": "Firebase Cloud Messaging.",
        "WEB_PUSH": "The push service of the browser (RFC 8030); the token is the "
        "subscription's endpoint.",
    },
)
expose(
    Permission,
    name="PushPermission",
    description="What the person has told the device about notifications.",
    values={
        "AUTHORIZED": "Yes. Counts as consent to PUSH, unless the person has "
        "unsubscribed since.",
        "PROVISIONAL": "Nothing yet, but quiet delivery is possible. No consent.",
        "NOT_DETERMINED": "Nothing yet. No consent.",
        "DENIED": "No. When no other device of the person has permission, they are "
        "unsubscribed from PUSH; on a device that is not verified only where they "
        "agreed since it was registered.",
    },
)


@strawberry.type(description="A device on which a person can get push notifications.")
class PushToken:
    token: str = plain("token", description="What to send to.")
    platform: Platform = plain("platform", description="What the device runs.")
    vendor: Vendor = plain("vendor", description="Who delivers to it.")
    app_id: str | None = plain(
        "app_id", description="The app, such as a bundle id or package name."
    )
    permission: Permission = plain(
        "permission", description="What the person has told the device."
    )
    is_verified: bool = plain(
        "is_verified",
        description="Whether the device is known to be this person's: registered with "
        "the scope profiles:write. A public key alone can claim any person's name, "
        "even before they come: send nothing private where this is false.",
    )
    created_at: datetime = plain(
        "created_at", description="When the token was first registered for the person."
    )
    last_seen_at: datetime = plain(
        "seen_at", description="When it was last registered for the person."
    )


@strawberry.input(
    description="A device, and who uses it. Register at every start of the app and "
    "after signing in: the token moves to whoever is named last."
)
class RegisterPushTokenInput:
    profile: ProfileIdentityInput = strawberry.field(
        description="Who uses the device; made when new. A key without the scope "
        "profiles:write cannot give `id`, and the tokens that it adds are not verified."
    )
    token: str = strawberry.field(
        description="The token as the device got it: at most 1,024 characters, no "
        "white space."
    )
    platform: Platform = strawberry.field(description="What the device runs.")
    vendor: strawberry.Maybe[Vendor | None] = strawberry.field(
        default=None,
        description="Who delivers. When absent: APNS for IOS, FCM for ANDROID, "
        "WEB_PUSH for WEB.",
    )
    app_id: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The app, such as a bundle id or package name: at most 255 "
        "characters.",
    )
    permission: Permission = strawberry.field(
        default=Permission.AUTHORIZED,
        description="What the person has told the device. AUTHORIZED subscribes them "
        "to PUSH where they have said nothing yet; after they have unsubscribed, only "
        "if this device had no permission before.",
    )
    custom_source: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Where the permission was given, for the consent trail: at most "
        "200 characters. The app's id when absent.",
    )
    consent_text: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="What the person was shown: at most 5,000 characters.",
    )


@strawberry.input(description="Which tokens work no more, or are not to be used.")
class UnregisterPushTokensInput:
    tokens: list[str] = strawberry.field(
        description=f"1 to {MAX_REMOVED:,} tokens, such as those that APNs or FCM "
        "call unregistered, or the device's own when somebody signs out."
    )


@strawberry.type(
    description="The answer of `registerPushToken`: the same whether or not someone "
    "is known."
)
class RegisterPushTokenPayload(Payload):
    profile: Annotated["Profile", strawberry.lazy("gql.profiles")] | None = plain(
        "profile",
        description="Who uses the device, after the change. Null when refused, and "
        "always for a key without the scope profiles:write.",
    )


@strawberry.type(description="The answer of `unregisterPushTokens`.")
class UnregisterPushTokensPayload(Payload):
    removed: int | None = plain(
        "removed",
        description="How many of them somebody had; null for a key without the scope "
        "profiles:write.",
    )


@strawberry.type
class PushTokenMutation:
    @mutation(
        RegisterPushTokenPayload,
        "profiles:write",
        SIGN_UP,
        description="Tells on which device somebody can get push notifications, and "
        "whether they agreed. A token belongs to one profile at a time; a profile "
        f"keeps {MAX_TOKENS}, those not verified and not seen for longest give way. "
        "Doing it again brings it up to date.",
    )
    @staticmethod
    async def register_push_token(
        context: Context, input: RegisterPushTokenInput
    ) -> Document:
        is_trusted = context.require_key().may("profiles:write")
        who, wanted = _checked(input)
        if not is_trusted and who.id is not None:
            raise NotAllowed(
                "A key without the scope profiles:write names people by email, "
                "phoneNumber, externalId or anonymousId.",
                ("profile", "id"),
            )
        proof = evidence(context.ip, context.user_agent, wanted.consent_text)
        registering = register_push_token(
            context.db,
            who,
            wanted,
            now=context.now(),
            evidence=proof,
            is_trusted=is_trusted,
        )
        if not is_trusted:
            # A public caller learns nothing of who is known, not by a refusal either.
            with contextlib.suppress(AudienceError):
                await registering
            return accepted(profile=None)
        (profile,) = await profiles_by_id(context.db, [await registering])
        if profile is None:
            raise NotFound("The profile was erased in the meantime.", ("profile",))
        return accepted(profile=profile)

    @mutation(
        UnregisterPushTokensPayload,
        "profiles:write",
        SIGN_UP,
        description="Forgets push tokens, whoever has them. Consent stays as it is.",
    )
    @staticmethod
    async def unregister_push_tokens(
        context: Context, input: UnregisterPushTokensInput
    ) -> Document:
        if not 0 < len(input.tokens) <= MAX_REMOVED:
            kind = TooLarge if input.tokens else InvalidInput
            raise kind(
                f"There are {len(input.tokens):,} tokens; give 1 to {MAX_REMOVED:,}.",
                ("tokens",),
            )
        tokens = [
            check_token(each, ("tokens", str(place)))
            for place, each in enumerate(input.tokens)
        ]
        removed = await unregister_push_tokens(context.db, tokens, context.now())
        is_trusted = context.require_key().may("profiles:write")
        return accepted(removed=removed if is_trusted else None)


def _checked(said: RegisterPushTokenInput) -> tuple[Identity, Device]:
    """Who and which device; every problem is reported at once."""
    problems: list[Problem] = []
    who: Identity | None = None
    try:
        who = identity_of(said.profile)
    except AudienceError as error:
        problems += error.under("profile").problems
    try:
        wanted = device(
            said.token,
            said.platform,
            vendor=given(said.vendor),
            app_id=given(said.app_id),
            permission=said.permission,
            source=given(said.custom_source),
            consent_text=given(said.consent_text),
        )
    except AudienceError as error:
        problems += error.problems
    else:
        if who is not None:
            return who, wanted
    raise InvalidInput.of(problems)
