"""Settings are read, hidden, refused with a sentence, and documented."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from audience.addresses import RefusedAddress
from server.settings import (
    BadSettings,
    Settings,
    environment,
    read_settings,
    settings_table,
    variable,
)
from tests.server.conftest import ROOT


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://a:b@c/?replicaSet=d")
    monkeypatch.setenv("AUDIENCE_PORT", "9000")
    monkeypatch.setenv("AUDIENCE_ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("AUDIENCE_GRAPHIQL", "off")
    monkeypatch.setenv("AUDIENCE_WORKERS", "")

    settings = read_settings()

    assert settings == Settings(
        mongodb_uri=SecretStr("mongodb://a:b@c/?replicaSet=d"),
        port=9000,
        origins=("https://a.example", "https://b.example"),
        graphiql=False,
        workers=1,
    )


def test_what_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIENCE_PORT", "9000")
    monkeypatch.setenv("AUDIENCE_HOST", "::1")

    settings = read_settings(port=9001, host=None, data=Path("/somewhere"))

    assert (settings.port, settings.host) == (9001, "::1")
    assert settings.data == Path("/somewhere")


def test_settings_never_change() -> None:
    settings = read_settings()

    with pytest.raises(ValidationError):
        settings.port = 1


def test_secrets_are_hidden() -> None:
    settings = read_settings(
        mongodb_uri="mongodb://a:hidden@c", admin_key="hidden" * 9, secret="hidden" * 9
    )

    assert "hidden" not in f"{settings!r} {settings}"


def test_secrets_are_hidden_when_they_are_refused() -> None:
    with pytest.raises(BadSettings) as refused:
        read_settings(admin_key="hidden")

    assert str(refused.value) == (
        "AUDIENCE_ADMIN_KEY: it should have at least 16 characters."
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("AUDIENCE_PORT", "many", "it should be a whole number"),
        ("AUDIENCE_PORT", "70000", "it should be less than or equal to 65535"),
        ("AUDIENCE_GRAPHIQL", "perhaps", "it should be true or false"),
        ("AUDIENCE_DRIVER", "other", "it should be 'motor' or 'pymongo'"),
        (
            "AUDIENCE_TIMEZONE",
            "Mars/Base",
            "'Mars/Base' is not a time zone such as Europe/Berlin",
        ),
        (
            "AUDIENCE_ORIGINS",
            "https://a.example/page",
            "'https://a.example/page' is not an origin such as "
            "https://shop.example.com",
        ),
        (
            "AUDIENCE_TRUSTED_PROXIES",
            "10.0.0.0/99",
            "'10.0.0.0/99' does not appear to be an IPv4 or IPv6 network",
        ),
        (
            "AUDIENCE_RATE_LIMIT_SECRET",
            "plenty",
            "'plenty' is not a rate such as 600/minute or 10/second",
        ),
        (
            "AUDIENCE_REFUSED_ADDRESSES",
            "role,spam",
            "'spam' is neither disposable nor role",
        ),
        (
            "AUDIENCE_BASE_URL",
            "audience.example",
            "'audience.example' is not an address such as https://audience.example.com",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(BadSettings) as refused:
        read_settings()

    assert str(refused.value) == f"{name}: {sentence}."


def test_a_worker_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings(
        mongodb_uri="mongodb://a:b@c",
        admin_key="an-admin-key-for-the-tests",
        origins=(),
        trusted_proxies=("10.0.0.0/8", "::1"),
        refused_addresses=(RefusedAddress.ROLE,),
        graphiql=False,
        port=9000,
    )
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)

    assert read_settings() == settings


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"host": "0.0.0.0"}, "http://127.0.0.1:8000"),  # noqa: S104
        ({"host": "::1", "port": 80}, "http://[::1]:80"),
        ({"base_url": "https://a.example/"}, "https://a.example"),
    ],
)
def test_the_address_is_one_that_people_can_open(
    given: dict[str, object], address: str
) -> None:
    assert read_settings(**given).address == address


def test_every_setting_is_documented() -> None:
    """`audience settings` prints the table of docs/settings.md."""
    assert settings_table() in (ROOT / "docs" / "settings.md").read_text()
