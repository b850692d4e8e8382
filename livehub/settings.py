"""Every knob, read from the environment once and frozen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from livehub.kit import sealing


class BadSetting(Exception):
    """A variable of the environment cannot be used; the text names it and says what would be right."""


LONGEST_LEASE_SECONDS = 100  # figures of an instant are final two minutes after it: see reports/reviews.py


class Settings(Struct, frozen=True, kw_only=True):
    """What differs between two installations. Each field is LIVEHUB_<NAME> in the environment."""

    data_dir: Path = Path("var")  # SQLite file, keys, backups
    database_url: str = (
        ""  # empty: sqlite://<data_dir>/livehub.db ; else postgres://user:password@host:port/name
    )
    host: str = "127.0.0.1"
    port: int = 8000
    anchor_dir: str = ""  # where the audit chains are anchored; empty: <data_dir>/anchors
    keys: str = ""  # id:base64 of 32 bytes, comma-separated, newest first; empty: <data_dir>/keys is made
    public_url: str = ""  # how people reach us, for links and QR codes; empty: http://host:port
    proxies_count: int = 0  # how many trusted proxies stand before us
    pool_size: int = 8  # PostgreSQL connections of each process
    queue_limit: int = 2000  # requests that may wait for a group commit in each worker
    batch_limit: int = 256  # requests settled in one transaction
    body_limit: int = 1024 * 1024  # bytes of a request
    bodies_limit: int = 64 * 1024 * 1024  # bytes of all unfinished requests of each worker
    statement_limit: int = 32 * 1024 * 1024  # bytes of a settlement statement's file
    connection_limit: int = 4000  # connections of each worker
    claim_network_limit: int = 2000  # vouchers of a campaign given to a network in an hour
    verify_network_limit: int = 1000  # phones verified in a network in an hour
    verify_device_limit: int = 10  # phones verified on a device in a day
    code_address_limit: int = 30  # one-time codes asked for from an address in an hour
    login_address_limit: int = 100  # wrong passwords from an address in 15 minutes
    lease_seconds: int = 30  # how long a loop may hold rows before another takes them over
    metrics_token: str = ""  # bearer token for /metrics; empty: only loopback may look
    jobs_metrics_port: int = 0  # where `python -m jobs` alone tells its figures; 0: nowhere
    sms_channel: str = "outbox"  # which notices channel sends one-time codes
    log_format: str = "json"  # json or text
    log_level: str = "INFO"

    def __repr__(self) -> str:
        """Without what opens anything, for logs and tracebacks."""
        engine = "sqlite" if self.is_sqlite else "postgres"
        return f"Settings({engine}, data_dir={str(self.data_dir)!r}, {self.host}:{self.port})"

    @property
    def database(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite://{self.data_dir.resolve() / 'livehub.db'}"

    @property
    def is_sqlite(self) -> bool:
        """Whether the engine is a SQLite file."""
        return self.database.startswith("sqlite")

    @property
    def file(self) -> Path | None:
        """The SQLite file; None when the engine is PostgreSQL."""
        return Path(self.database.removeprefix("sqlite://")) if self.is_sqlite else None

    @property
    def anchors(self) -> Path:
        """Where the heads of the audit chains are written each day."""
        return Path(self.anchor_dir) if self.anchor_dir else self.data_dir / "anchors"

    @property
    def url(self) -> str:
        """How people reach us, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    def keyring(self) -> sealing.Keyring:
        """The keys in force; made on first use in the data directory when none were given."""
        if self.keys:
            return sealing.Keyring(sealing.parse_keys(self.keys))
        return sealing.Keyring(sealing.load_or_make(self.data_dir / "keys"))


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read LIVEHUB_* variables; BadSetting names the first that cannot be used."""
    given = os.environ if environ is None else environ
    values: dict[str, object] = {}
    for name in Settings.__struct_fields__:
        variable = f"LIVEHUB_{name.upper()}"
        text = given.get(variable, "")
        if text:
            values[name] = _read(variable, text, getattr(_DEFAULTS, name))
            if name.endswith("_limit") and values[name] == 0:
                raise BadSetting(f"{variable}={text!r}: expected at least 1")
            if name == "lease_seconds" and not 1 <= int(text) <= LONGEST_LEASE_SECONDS:
                raise BadSetting(f"{variable}={text!r}: expected 1 to {LONGEST_LEASE_SECONDS}")
    settings = Settings(**values)  # type: ignore[arg-type]  # _read keeps each field's type
    if settings.keys:
        try:
            sealing.parse_keys(settings.keys)
        except ValueError as error:
            raise BadSetting(
                f"LIVEHUB_KEYS: {error}; expected id:base64-of-32-bytes, comma-separated"
            ) from None
    if not settings.database.startswith(("sqlite://", "postgres://", "postgresql://")):
        raise BadSetting(
            "LIVEHUB_DATABASE_URL: expected sqlite:///path or postgres://user:password@host:port/name"
        )
    return settings


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child process that shall have exactly these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIVEHUB_")}
    given = {name: getattr(settings, name) for name in Settings.__struct_fields__}
    return kept | {f"LIVEHUB_{name.upper()}": str(value) for name, value in given.items() if value != ""}


def share_metrics(folder: str) -> None:
    """Let this process and its children add up their Prometheus figures in a folder; before their import."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def _read(variable: str, text: str, default: object) -> object:
    if isinstance(default, bool):
        if text.lower() in {"1", "true", "yes", "on"}:
            return True
        if text.lower() in {"0", "false", "no", "off"}:
            return False
        raise BadSetting(f"{variable}={text!r}: expected true or false")
    if isinstance(default, int):
        if not text.isdigit():
            raise BadSetting(f"{variable}={text!r}: expected a whole number")
        return int(text)
    return Path(text) if isinstance(default, Path) else text


_DEFAULTS = Settings()
