"""What keys look like and what they may do."""

import pytest

from audience.errors import AudienceError
from audience.keys import (
    SCOPES,
    KeyKind,
    NewKey,
    Viewer,
    admin_viewer,
    check_key,
    grants_admin,
    hash_key,
    hint_of,
    is_key,
    new_key,
)


def viewer(*scopes: str, kind: KeyKind = KeyKind.SECRET) -> Viewer:
    return Viewer("1", "Shop", kind, frozenset(scopes))


def paths(error: AudienceError) -> list[tuple[str, ...]]:
    return [problem.path for problem in error.problems]


def test_keys_are_long_and_differ() -> None:
    secret, public = new_key(KeyKind.SECRET), new_key(KeyKind.PUBLIC)

    assert (secret[:3], public[:3]) == ("sk_", "pk_")
    assert is_key(secret)
    assert is_key(public)
    assert secret != new_key(KeyKind.SECRET)
    assert not is_key(secret[:-1])
    assert not is_key(f"{secret}\n")


def test_only_a_hash_and_a_hint_can_be_kept() -> None:
    assert hash_key("sk_a") == (
        "4cdaf970137f67ee659f7f37a7f1deb1ed099c16ca0718aff7d961fcea0ca704"
    )
    assert hint_of("sk_abcdefgh") == "sk_…efgh"


@pytest.mark.parametrize(
    ("held", "able"),
    [
        (("*",), set(SCOPES)),
        (("lists:*",), {"lists:read", "lists:write"}),
        (("lists:read",), {"lists:read"}),
        (("profiles:write",), {"profiles:write", "signup"}),
        (("signup",), {"signup"}),
        ((), set()),
    ],
)
def test_what_scopes_allow(held: tuple[str, ...], able: set[str]) -> None:
    assert {scope for scope in SCOPES if viewer(*held).may(scope)} == able


def test_a_public_key_signs_up_and_nothing_else() -> None:
    public = viewer("*", kind=KeyKind.PUBLIC)

    assert {scope for scope in SCOPES if public.may(scope)} == {"signup"}


def test_the_environments_key_may_do_everything() -> None:
    assert all(admin_viewer().may(scope) for scope in SCOPES)


def test_origins_match_exactly() -> None:
    bound = Viewer("1", "Shop", KeyKind.PUBLIC, frozenset(), ("https://shop.example",))

    assert bound.may_call_from("https://shop.example")
    assert bound.may_call_from("https://SHOP.example")
    for origin in (
        None,
        "null",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
        "https://evil.example/https://shop.example",
    ):
        assert not bound.may_call_from(origin)
    assert viewer().may_call_from(None)


def test_a_checked_key_is_normalised() -> None:
    secret = check_key("  Shop \n sync ", KeyKind.SECRET, ["lists:*", "lists:*"])
    public = check_key(
        "Site",
        KeyKind.PUBLIC,
        [],
        ["HTTPS://Shop.Example:443/", "http://localhost:3000", "http://[::1]:3000"],
    )

    assert secret == NewKey("Shop sync", KeyKind.SECRET, ("lists:*",))
    assert public == NewKey(
        "Site",
        KeyKind.PUBLIC,
        ("signup",),
        ("https://shop.example", "http://localhost:3000", "http://[::1]:3000"),
    )


def test_every_problem_is_named() -> None:
    with pytest.raises(AudienceError) as secret:
        check_key(
            " ",
            KeyKind.SECRET,
            ["lists:read", "*", "lists:delete"],
            ["https://shop.example"],
        )
    with pytest.raises(AudienceError) as public:
        check_key(
            "x" * 101,
            KeyKind.PUBLIC,
            ["signup", "lists:read"],
            ["https://shop.example", "shop.example"],
        )

    assert paths(secret.value) == [("name",), ("scopes", "2"), ("allowedOrigins",)]
    assert paths(public.value) == [("name",), ("scopes", "1"), ("allowedOrigins", "1")]


def test_a_secret_key_needs_a_scope() -> None:
    with pytest.raises(AudienceError) as refusal:
        check_key("Shop", KeyKind.SECRET, [])

    assert paths(refusal.value) == [("scopes",)]


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "*",
        "https://",
        "https://*.shop.example",
        "https://shop.example/page",
        "https://shop.example?x",
        "https://user@shop.example",
        "https://shop.example:99999",
        "https://shop.example:port",
        "javascript:alert(1)",
        "https://sh op.example",
        "https://[::1",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(AudienceError) as refusal:
        check_key("Site", KeyKind.PUBLIC, [], [origin])

    assert paths(refusal.value) == [("allowedOrigins", "0")]


def test_a_key_has_a_bounded_number_of_origins() -> None:
    with pytest.raises(AudienceError) as refusal:
        check_key("Site", KeyKind.PUBLIC, [], ["https://shop.example"] * 51)

    assert paths(refusal.value) == [("allowedOrigins",)]


def test_which_scopes_make_an_admin() -> None:
    assert grants_admin(["keys:admin"])
    assert grants_admin(["keys:*"])
    assert grants_admin(["*"])
    assert not grants_admin(["lists:*"])
