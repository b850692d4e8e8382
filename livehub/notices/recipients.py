"""How a recipient is written where people can see it: enough to recognise, not enough to reach."""

from __future__ import annotations

import re

_PHONE = re.compile(r"(?:\+?86)?(1[3-9]\d{9})")


def mask(recipient: str) -> str:
    """138****1234 of a mobile number, z***@example.cn of an address, else the first letter."""
    phone = _PHONE.fullmatch(re.sub(r"[\s-]", "", recipient))
    if phone:
        return f"{phone[1][:3]}****{phone[1][-4:]}"
    head, at, domain = recipient.partition("@")
    return f"{head[:1]}***{at}{domain}"[:80]
