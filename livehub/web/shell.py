"""What the frame around every page of a login needs to know."""

from __future__ import annotations

from msgspec import Struct


class Shell(Struct, kw_only=True):
    """Who looks at the page and where she is."""

    door: str  # desk, bureau or merchant
    current: str  # the entry of the navigation, such as "inbox"
    who: str
    role: str  # in Chinese, as shown
    csrf: str
    place: str = ""  # the centre or the bureau, as shown
    badges: dict[str, int] = {}  # waiting things by entry of the navigation
    flash: str = ""  # one sentence about what was just done
    alert: str = ""  # one sentence about what was just refused
    hidden: frozenset[str] = frozenset()  # entries of the navigation that are not hers
