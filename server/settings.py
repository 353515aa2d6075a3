"""What can be set from the environment: one frozen object, every field documented.
`docs/settings.md` is made of these descriptions."""

import zoneinfo
from email.utils import getaddresses
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from audience.addresses import RefusedAddress

Words = Annotated[tuple[str, ...], NoDecode]

MONGODB_URI = "MONGODB_URI"
DATA_FOLDER = Path(".audience")


class BadSettings(Exception):
    """A setting's value cannot be used; says which, and what would be right."""


class Settings(BaseSettings):
    """The settings of one server; read once, never changed."""

    model_config = SettingsConfigDict(
        env_prefix="AUDIENCE_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    mongodb_uri: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("mongodb_uri", MONGODB_URI),
        description="The MongoDB to use: a replica set or sharded cluster, 6.0 or "
        "newer. Not set: the server starts a MongoDB of its own under the data folder.",
    )
    database: str = Field(
        default="audience",
        pattern=r"^[A-Za-z0-9_-]{1,38}$",
        description="The name of the database in that MongoDB.",
    )
    driver: Literal["motor", "pymongo"] = Field(
        default="motor",
        description="The MongoDB driver: `motor`, or `pymongo` for PyMongo's own "
        "asynchronous API.",
    )
    executor: Literal["compiled", "graphql-core"] = Field(
        default="compiled",
        description="What executes operations: `compiled`, which plans each one once, "
        "or `graphql-core` alone. Both give the same answers.",
    )
    shared_reads: bool = Field(
        default=True,
        description="Whether what several requests read of one kind at the same time, "
        "and sign-ups that come at the same time, go to MongoDB together. The answers "
        "are the same, and cost less.",
    )
    data: Path = Field(
        default=DATA_FOLDER,
        description="The data folder: the server's own MongoDB keeps its files there.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="The address to listen on. `0.0.0.0`: all of this machine's.",
    )
    port: int = Field(
        default=8000, ge=0, le=65535, description="The port to listen on."
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="How many processes answer requests; they share the port.",
    )
    base_url: str | None = Field(
        default=None,
        description="The address by which people reach this server, such as "
        "`https://audience.example.com`; links in messages begin with it. Not set: "
        "the address that the server listens on.",
    )
    timezone: str = Field(
        default="UTC",
        description="The account's time zone, such as `Europe/Berlin`: where a day "
        "begins and ends in conditions that count in days.",
    )
    admin_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Accepted as an API key with every scope. Not set: a first "
        "key is made, and printed once, when the database is new.",
    )
    secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Signs the links in confirmation messages. Not set: one is made "
        "and kept in the database.",
    )
    keeper: bool = Field(
        default=True,
        description="Whether the processes that answer requests keep the segments too. "
        "`false`: that is left to processes of their own, `audience keep`.",
    )
    property_indexes: int = Field(
        default=8,
        ge=0,
        le=32,
        description="How many properties of events may have an index: those that most "
        "segments look at; one that is there gives way to one that twice as many do. "
        "Each has an entry for every event with the property. 0: none.",
    )
    webhooks_to_loopback: bool = Field(
        default=False,
        description="Whether outbound webhooks may call this machine itself, by "
        "`http://` too: for developing. They never call other private addresses.",
    )
    graphiql: bool = Field(
        default=True,
        description="Whether browsers that open `/graphql` get GraphiQL, the editor.",
    )
    origins: Words = Field(
        default=("*",),
        description="The web origins whose pages may call the API, separated by "
        "commas; `*` allows all of them. Keys travel in a header that "
        "browsers never add by themselves, and public keys have allowed origins of "
        "their own.",
    )
    trusted_proxies: Words = Field(
        default=(),
        description="Addresses or networks of the proxies in front of this server, "
        "separated by commas. Their `X-Forwarded-For` and `X-Forwarded-Proto` are "
        "believed; anybody else's are not.",
    )
    rate_limit_secret: str = Field(
        default="60000/minute",
        description="Requests allowed per secret key, counted by each worker.",
    )
    rate_limit_public: str = Field(
        default="6000/minute",
        description="Requests allowed per public key, counted by each worker.",
    )
    rate_limit_address: str = Field(
        default="300/minute",
        description="Requests allowed per client address with a public key, a wrong "
        "key or none, counted by each worker.",
    )
    rate_limit_signup: str = Field(
        default="30/minute",
        description="Sign-ups through forms, and mutations with public keys but "
        "`trackEvent`, allowed per client address, counted by all workers together. "
        "Raise it where many visitors share an address.",
    )
    rate_limit_tracking: str = Field(
        default="300/minute",
        description="Events that `trackEvent` records with public keys, allowed per "
        "client address, counted by each worker. `AUDIENCE_RATE_LIMIT_ADDRESS` counts "
        "the requests besides.",
    )
    refused_addresses: Annotated[tuple[RefusedAddress, ...], NoDecode] = Field(
        default=(),
        description="Kinds of e-mail addresses that no form and no public key signs "
        "up, separated by commas: `disposable` (mailboxes for minutes), `role` "
        "(`info@`, `sales@`, ...). A form can refuse them for itself.",
    )
    rate_limit_integration: str = Field(
        default="6000/minute",
        description="Verified calls allowed per integration, counted by each worker. "
        "What is more is answered 429, and most tools send it again later.",
    )
    smtp_host: str | None = Field(
        default=None,
        description="The mail server that sends messages. Not set: messages are "
        "printed, for trying.",
    )
    smtp_port: int = Field(
        default=587, ge=1, le=65535, description="The mail server's port."
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the connection to the mail server is protected: `starttls`, "
        "`tls` from the first byte (mostly port 465), or `none` (for a server on this "
        "machine).",
    )
    smtp_user: str | None = Field(
        default=None,
        description="The user name at the mail server, where it wants one.",
    )
    smtp_password: SecretStr | None = Field(
        default=None, description="The password at the mail server."
    )
    mail_from: str = Field(
        default="Audience <audience@localhost>",
        description="Who messages come from, such as `Ada's Shop <news@example.com>`. "
        "The name stands in the messages too.",
    )
    body_limit: int = Field(
        default=10_000_000,
        ge=1_000,
        description="The largest request body or WebSocket message, in bytes.",
    )
    metrics: Literal["loopback", "open", "off"] = Field(
        default="loopback",
        description="Who may read `/metrics`: `loopback` (this machine alone), `open` "
        "(everybody who reaches the port) or `off`.",
    )
    log: Literal["console", "json"] = Field(
        default="console",
        description="How log lines look: for people, or one JSON object each.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least serious log lines that are written."
    )

    @field_validator("origins", "trusted_proxies", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(word for word in value.replace(",", " ").split() if word)
        return value

    @field_validator("refused_addresses", mode="before")
    @classmethod
    def _kinds(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        names = [name.upper() for name in value.replace(",", " ").split()]
        for name in names:
            if name not in set(RefusedAddress):
                raise ValueError(f"{name.lower()!r:.40} is neither disposable nor role")
        return tuple(RefusedAddress(name) for name in names)

    @field_validator("origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            whole = f"{parts.scheme}://{parts.netloc}"
            if origin != "*" and (not parts.netloc or whole != origin):
                raise ValueError(
                    f"{origin!r} is not an origin such as https://shop.example.com"
                )
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{value!r} is not a time zone such as Europe/Berlin"
            ) from None
        return value

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(
                f"{value!r} is not an address such as https://audience.example.com"
            )
        return value.rstrip("/")

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        addresses = [address for _, address in getaddresses([value])]
        if [each.count("@") for each in addresses] != [1] or not value.isprintable():
            raise ValueError(
                f"{value!r:.100} is not a sender such as Ada's Shop <news@example.com>"
            )
        return value

    @field_validator(
        "rate_limit_secret",
        "rate_limit_public",
        "rate_limit_address",
        "rate_limit_signup",
        "rate_limit_tracking",
        "rate_limit_integration",
    )
    @classmethod
    def _rate(cls, value: str) -> str:
        try:
            parse_many(value)
        except ValueError:
            raise ValueError(
                f"{value!r} is not a rate such as 600/minute or 10/second"
            ) from None
        return value

    @property
    def address(self) -> str:
        """Where people reach the server."""
        if self.base_url:
            return self.base_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host  # noqa: S104
        host = "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}"


def read_settings(**given: Any) -> Settings:
    """The settings from the environment; `given` ones win unless they are None.

    BadSettings when a value cannot be used.
    """
    try:
        return Settings(
            **{name: value for name, value in given.items() if value is not None}
        )
    except ValidationError as error:
        raise BadSettings(
            " ".join(_sentence(problem) for problem in error.errors())
        ) from None


def variable(field: str) -> str:
    """The environment variable of a field."""
    return MONGODB_URI if field == "mongodb_uri" else f"AUDIENCE_{field.upper()}"


def environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for a process that reads them again."""
    return {
        variable(name): _text(value)
        for name in Settings.model_fields
        if (value := getattr(settings, name)) is not None
    }


def settings_table() -> str:
    """Every setting with its default and meaning, as a Markdown table."""
    rows = ["| Variable | Default | Meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{_text(field.default)}`"
        if default == "`,`":
            default = ""
        rows.append(f"| `{variable(name)}` | {default} | {field.description} |")
    return "\n".join(rows)


def _text(value: Any) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(value) or ","
        case _:
            return str(value)


def _sentence(problem: Any) -> str:
    name = variable(str(problem["loc"][0]).lower().removeprefix("audience_"))
    match problem["type"]:
        case "too_short":
            least = problem["ctx"]["min_length"]
            reason = f"it should have at least {least} characters"
        case "bool_parsing":
            reason = "it should be true or false"
        case "int_parsing":
            reason = "it should be a whole number"
        case "value_error":
            reason = str(problem["msg"]).removeprefix("Value error, ")
        case _:
            reason = str(problem["msg"]).replace("Input", "it").replace("String", "it")
    return f"{name}: {reason}."
