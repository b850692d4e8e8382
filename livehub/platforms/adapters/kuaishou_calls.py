"""Kuaishou's API calls, signed."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping

import msgspec

from livehub.platforms.contract import Credential, HttpCall


def signed(method: str, parameters: Mapping[str, object], *, credential: Credential, now_ms: int) -> HttpCall:
    """GET, everything in the query; the signature is over the parameters before they are escaped."""
    query = {
        "access_token": credential.access_token,
        "appkey": credential.app_key,
        "method": method,
        "param": msgspec.json.encode(parameters).decode(),
        "signMethod": "HMAC_SHA256",
        "timestamp": str(now_ms),
        "version": "1",
    }
    sign_secret = credential.secrets[0].partition(":")[0]
    text = "&".join(f"{name}={query[name]}" for name in sorted(query)) + f"&signSecret={sign_secret}"
    sign = hmac.digest(sign_secret.encode(), text.encode(errors="replace"), "sha256")
    path = "/" + method.replace(".", "/")
    return HttpCall("GET", path, query | {"sign": b64encode(sign).decode()}, {}, b"")
