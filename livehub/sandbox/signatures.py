"""How the platforms sign, written from their documents and not shared with livehub's adapters."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def doudian_event(body: bytes, *, app_key: str, app_secret: str) -> str:
    """The ``event-sign`` header of a push."""
    signed = app_key.encode() + body + app_secret.encode()
    return hashlib.md5(signed, usedforsecurity=False).hexdigest()  # the platform's own choice


def doudian_call(query: Mapping[str, str], body: str, *, app_secret: str) -> str:
    """The ``sign`` parameter of an API call whose business JSON is ``body``."""
    parts = [
        "app_key" + query.get("app_key", ""),
        "method" + query.get("method", ""),
        "param_json" + body,
        "timestamp" + query.get("timestamp", ""),
        "v" + query.get("v", ""),
    ]
    text = app_secret + "".join(parts) + app_secret
    return hmac.new(app_secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def canonical_json(value: object) -> str:
    """JSON as 抖店 signs it: keys sorted, no spaces, nothing escaped that need not be."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def kuaishou_body(plaintext: bytes, *, message_key: str) -> bytes:
    """The body of a push: AES-CBC from a zero vector, base64."""
    padder = padding.PKCS7(128).padder()
    padded = padder.update(plaintext) + padder.finalize()
    cipher = Cipher(algorithms.AES(base64.b64decode(message_key)), modes.CBC(bytes(16)))
    encryptor = cipher.encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize())


KUAISHOU_SIGNED = ("access_token", "appkey", "method", "param", "signMethod", "timestamp", "version")


def kuaishou_call(query: Mapping[str, str], *, sign_secret: str) -> str:
    """The ``sign`` parameter of an API call, by the method that it names."""
    pairs = [f"{name}={query.get(name, '')}" for name in KUAISHOU_SIGNED]
    text = "&".join([*pairs, f"signSecret={sign_secret}"]).encode()
    if query.get("signMethod") == "MD5":
        return hashlib.md5(text, usedforsecurity=False).hexdigest()  # the platform offers both
    return base64.b64encode(hmac.new(sign_secret.encode(), text, hashlib.sha256).digest()).decode()


def is_kuaishou_secret(secret: str) -> bool:
    """``signSecret:message key``."""
    sign_secret, _, message_key = secret.partition(":")
    try:
        return bool(sign_secret) and len(base64.b64decode(message_key, validate=True)) in {16, 24, 32}
    except binascii.Error:
        return False


def standard_webhook(body: bytes, *, message_id: str, timestamp: int, secret: str) -> str:
    """The ``webhook-signature`` header of a Standard Webhooks delivery."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def wechat(*signed: str) -> str:
    """``signature`` of token, timestamp and nonce, or ``msg_signature`` of those and Encrypt."""
    return hashlib.sha1("".join(sorted(signed)).encode(), usedforsecurity=False).hexdigest()  # as above


def wechat_encrypt(message: bytes, *, aes_key: str, appid: str) -> str:
    """``Encrypt`` of a message, with new random bytes each time: the whole is filled up to 32 bytes."""
    content = secrets.token_bytes(16) + len(message).to_bytes(4, "big") + message + appid.encode()
    filling = padding.PKCS7(32 * 8).padder()
    key = base64.b64decode(aes_key + "=")
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    filled = filling.update(content) + filling.finalize()
    return base64.b64encode(encryptor.update(filled) + encryptor.finalize()).decode()


def is_wechat_secret(secret: str) -> bool:
    """Whether it is a Token and an EncodingAESKey with a colon between."""
    return re.fullmatch(r"[A-Za-z0-9]{3,32}:[A-Za-z0-9]{43}", secret) is not None


def is_standard_secret(secret: str) -> bool:
    """Whether Standard Webhooks can sign with it."""
    try:
        return secret.startswith("whsec_") and bool(
            base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        )
    except binascii.Error:
        return False
