"""The hidden token of a form, which another site cannot know."""

from __future__ import annotations

from livehub.accounts.errors import FormExpired
from livehub.kit import sealing, signing


def form_token(session_token: str) -> str:
    """The token for the forms of one login; before a login, of any random text kept in a cookie."""
    return signing.mac(sealing.ring().secret("form"), session_token)


def check_form_token(session_token: str, *, given: str) -> None:
    """Raise FormExpired unless the form was ours and made for this login."""
    if not session_token or not signing.matches(form_token(session_token), given):
        raise FormExpired
