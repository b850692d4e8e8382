"""What this package refuses, in words for a person."""

from __future__ import annotations

from livehub.kit.errors import Conflict, LivehubError


class UnusableSecret(LivehubError):
    """这个密钥不符合该平台的格式，请核对后重新填写。"""

    code, status = "UNUSABLE_SECRET", 422


class UnknownPlatform(LivehubError):
    """系统还不支持这个平台。"""

    code, status = "UNKNOWN_PLATFORM", 404


class ShopKnown(Conflict):
    """这个店铺已经登记过了。"""

    code = "SHOP_KNOWN"
