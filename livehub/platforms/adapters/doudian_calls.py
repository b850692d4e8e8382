"""Doudian's API calls, signed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from livehub.platforms.contract import Credential, HttpCall


def signed(method: str, parameters: Mapping[str, object], *, credential: Credential, now_ms: int) -> HttpCall:
    """A call of a method, whose path is its name; the newest secret signs."""
    body = msgspec.json.encode(parameters, order="sorted")
    stamp = str(now_ms // 1000)
    text = f"app_key{credential.app_key}method{method}param_json{body.decode()}timestamp{stamp}v2"
    secret = credential.secrets[0]
    sign = hmac.new(_bytes(secret), _bytes(secret + text + secret), hashlib.sha256).hexdigest()
    query = {
        "app_key": credential.app_key,
        "method": method,
        "access_token": credential.access_token,
        "timestamp": stamp,
        "v": "2",
        "sign": sign,
        "sign_method": "hmac-sha256",
    }
    path = "/" + method.replace(".", "/")
    return HttpCall("POST", path, query, {"content-type": "application/json"}, body)


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")
