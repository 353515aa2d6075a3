"""Where webhooks may go, how they are signed, and when they are tried again."""

import base64
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from audience.errors import AudienceError
from audience.webhooks import (
    MAX_ATTEMPTS,
    check_url,
    check_webhook_secret,
    is_public,
    new_secret,
    signed_headers,
    wait_after,
)

BODY = '{"type":"segment.entered","name":"Zoë"}'.encode()


def test_any_library_of_the_specification_verifies_a_message() -> None:
    secret, former, other = new_secret(), new_secret(), new_secret()
    headers = signed_headers("msg_1", datetime.now(UTC), BODY, [secret, former])

    for each in (secret, former):
        assert Webhook(each).verify(BODY, headers) == {
            "type": "segment.entered",
            "name": "Zoë",
        }
    for wrong, body in ((other, BODY), (secret, BODY + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(wrong).verify(body, headers)
    for changed in ({"webhook-id": "msg_2"}, {"webhook-timestamp": "1"}):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(BODY, headers | changed)


def test_the_signature_is_that_of_the_specification() -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    at = datetime(2026, 11, 1, 12, 0, 0, 999_000, UTC)

    assert signed_headers("msg_a", at, b"{}", [f"whsec_{key}"]) == {
        "webhook-id": "msg_a",
        "webhook-timestamp": "1793534400",
        "webhook-signature": f"v1,{Webhook(key).sign('msg_a', at, '{}')[3:]}",
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com/hooks?x=1",
        "https://shop.example.com:8443/",
        "https://93.184.216.34/",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/",
        "http://localhost:9000/",
        "http://127.0.0.1:9000/",
        "http://[::1]:9000/",
    ],
)
def test_where_webhooks_may_go(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.example.com/", "The address must begin with https://."),
        ("ftp://shop.example.com/", "The address must begin with https://."),
        ("file:///etc/passwd", "Give an address such as "),
        ("shop.example.com", "Give an address such as "),
        ("https://", "Give an address such as "),
        ("https://shöp.example.com/", "Give an address such as "),
        ("https://a.example/\nx", "Give an address such as "),
        (f"https://a.example/{'x' * 2_000}", "Give an address such as "),
        ("https://user:word@a.example/", "The address must hold no user"),
        ("https://a.example/#x", "The address must hold no user"),
        ("https://a.example:25/", "The port must be 443, or 1024 or greater."),
        ("https://a.example:99999/", "'https://a.example:99999/' is not an address."),
        ("https://[::1/", "'https://[::1/' is not an address."),
        ("https://10.0.0.1/", "10.0.0.1 is not an address of the public Internet."),
        ("https://[fd00::1]/", "fd00::1 is not an address of the public Internet."),
        ("https://169.254.169.254/", "169.254.169.254 is not an address of the "),
    ],
)
def test_where_they_may_not(url: str, said: str) -> None:
    with pytest.raises(AudienceError) as refused:
        check_url(url)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"]
)
def test_what_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - refused
        *("10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1"),
        *("127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1"),
        *("172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1"),
        *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("::ffff:169.254.169.254", "64:ff9b::a00:1", "64:ff9b:1::a00:1"),
        *("2002:7f00:1::", "2002:a00:1::1", "2001:db8::1", "fc00::1", "fd00:ec2::254"),
        *("fe80::1", "fec0::1", "ff02::1", "ff0e::1", "100::1"),
        "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo, for 127.0.0.1
    ],
)
def test_what_is_not(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "a secret",
        base64.b64encode(b"x" * 32).decode(),
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsec_" + base64.b64encode(b"x" * 32).decode() + "!",
    ],
)
def test_a_secret_has_the_form_of_the_specification(secret: str) -> None:
    with pytest.raises(AudienceError) as refused:
        check_webhook_secret(secret)

    assert str(refused.value).startswith("A secret is whsec_ and then 24 to 64 bytes")


def test_attempts_lie_further_and_further_apart() -> None:
    waits = [wait_after(number, None, 0.5) for number in range(1, MAX_ATTEMPTS + 1)]

    assert waits == [
        *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
        *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
        None,
    ]


@pytest.mark.parametrize(
    ("asked", "chance", "seconds"),
    [(None, 0, 4.5), (None, 1, 5.5), (60, 0, 60), (1, 0, 4.5), (10**9, 0, 86_400)],
)
def test_receivers_may_ask_for_more_time_but_not_for_more_than_a_day(
    asked: float | None, chance: float, seconds: float
) -> None:
    assert wait_after(1, asked, chance) == timedelta(seconds=seconds)
