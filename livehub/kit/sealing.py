"""Sealing personal data and evidence at rest, and finding it again by a blind index."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_KEY_ID = re.compile(r"[A-Za-z0-9]{1,16}")
PREFIX_LENGTH = 17  # of sealed bytes: the length of the key's id, and the longest id


class KeyMissing(Exception):
    """The bytes were sealed with a key, or for a place, that this keyring cannot open."""


class Keyring:
    """AES-256-GCM with key ids: the first key seals, all of them open.

    Blind indexes and derived secrets use a pepper that does not rotate with the sealing keys: it is
    derived from the key named ``pepper`` if there is one, else from the last (oldest) key.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        """``keys``: id (1-16 ASCII letters or digits) -> 32 bytes, newest first."""
        if not keys or any(len(key) != 32 or not (0 < len(name) <= 16) for name, key in keys.items()):
            raise ValueError("keys must be id -> 32 bytes, and at least one")
        pepper = keys.get("pepper") or list(keys.values())[-1]
        self._secrets: dict[str, bytes] = {}  # by purpose, of which there are a few
        self._pepper = hmac.digest(pepper, b"livehub blind index", "sha256")
        sealing = {name: key for name, key in keys.items() if name != "pepper"} or keys
        self._boxes = {name: AESGCM(key) for name, key in sealing.items()}
        self.key_ids = tuple(self._boxes)  # newest first
        newest = self.key_ids[0]
        self._newest = self._boxes[newest]
        self.prefix = bytes([len(newest)]) + newest.encode()  # what this ring seals begins so
        self.is_index_apart = "pepper" in keys  # else taking the last key away changes every index

    def seal(self, plain: bytes, *, place: str) -> bytes:
        """Seal bytes for one place (such as ``inbox_delivery.body``); they open only there."""
        nonce = os.urandom(_NONCE)
        return self.prefix + nonce + self._newest.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Open sealed bytes; KeyMissing when no key of this ring fits."""
        size, name = sealed[0], key_of(sealed)
        box = self._boxes.get(name)
        if box is None:
            raise KeyMissing(name)
        nonce, cipher = sealed[1 + size : 1 + size + _NONCE], sealed[1 + size + _NONCE :]
        try:
            return box.decrypt(nonce, cipher, place.encode())
        except InvalidTag:
            raise KeyMissing(place) from None

    def seal_text(self, text: str, *, place: str) -> bytes:
        """``seal`` for text."""
        return self.seal(text.encode(), place=place)

    def open_text(self, sealed: bytes, *, place: str) -> str:
        """``open`` for text."""
        return self.open(sealed, place=place).decode()

    def blind(self, text: str, *, purpose: str) -> bytes:
        """A 16-byte keyed hash: equal texts of one purpose are equal, and nothing can be guessed back."""
        return hmac.digest(self._pepper, purpose.encode() + b"\x00" + text.encode(), "sha256")[:16]

    def secret(self, purpose: str) -> bytes:
        """A 32-byte secret derived for one purpose, such as signing rotating codes."""
        secret = self._secrets.get(purpose)
        if secret is None:
            secret = self._secrets[purpose] = hmac.digest(
                self._pepper, b"secret\x00" + purpose.encode(), "sha256"
            )
        return secret


def key_of(sealed: bytes) -> str:
    """The id of the key that sealed these bytes; their first PREFIX_LENGTH are enough."""
    return sealed[1 : 1 + sealed[0]].decode("ascii", "replace")


def token_hash(token: str) -> bytes:
    """How a random token (at least 128 bits) is stored: SHA-256, since it cannot be guessed."""
    return hashlib.sha256(
        token.encode(errors="surrogatepass")
    ).digest()  # bytes that are no UTF-8 come as these


def parse_keys(text: str) -> dict[str, bytes]:
    """Keys of a text ``id:base64,id:base64``, newest first; ValueError says what is wrong."""
    keys: dict[str, bytes] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, encoded = part.partition(":")
        if not _KEY_ID.fullmatch(name):
            raise ValueError(f"a key's id is 1 to 16 letters and digits, not {name[:20]!r}")
        if name in keys:
            raise ValueError(f"two keys are called {name!r}")
        try:
            keys[name] = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise ValueError(f"key {name!r} is not base64") from None
        if len(keys[name]) != 32:
            raise ValueError(f"key {name!r} must be 32 bytes")
    if not keys:
        raise ValueError("no key")
    return keys


def load_or_make(path: Path) -> dict[str, bytes]:
    """Read the key file, or make one that only its owner can read."""
    try:
        return parse_keys(path.read_text())
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    text = f"k1:{base64.b64encode(os.urandom(32)).decode()}"
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    try:
        os.link(temporary, path)  # the first of two starting processes wins
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return parse_keys(path.read_text())


def install(keyring: Keyring) -> None:
    """Make a keyring this process's own; called once at start."""
    _installed.clear()
    _installed.append(keyring)


def ring() -> Keyring:
    """This process's keyring; KeyMissing before it was installed."""
    if not _installed:
        raise KeyMissing("no keyring installed")
    return _installed[0]


_installed: list[Keyring] = []
