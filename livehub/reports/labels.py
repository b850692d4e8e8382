"""Chinese names of the codes that forms show; an unknown code is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping

from livehub.reports.figures import Grain
from livehub.vouchers.models import Account
from rooms.models import Theme

NOTHING: Mapping[Grain, str] = {
    Grain.TOWN: "产地不明",
    Grain.PRODUCT: "未映射商品",
    Grain.THEME: "未归属场次",
    Grain.BROADCAST: "未归属场次",
}
THEMES: Mapping[str, str] = {
    Theme.RURAL_REVITALIZATION: "乡村振兴",
    Theme.AGRI_SPECIALTY: "农特",
    Theme.PARTY_BUILDING: "党建",
    Theme.CHARMING_CITY: "魅力北海",
}
PLATFORMS: Mapping[str, str] = {
    "doudian": "抖店",
    "kuaishou": "快手小店",
    "wechat_store": "微信小店",
    "standard_webhooks": "ERP 推送",
    "offline": "线下核销",
}
ACCOUNTS: Mapping[Account, str] = {
    Account.AVAILABLE: "未分配",
    Account.UNISSUED: "已分配未领",
    Account.HELD: "已领未用",
    Account.RELEASED: "已释放",
    Account.PAYABLE: "应付商户",
    Account.RECEIVABLE: "应收退款",
    Account.PAID: "已付商户",
    Account.TREASURY_RETURN: "已退财政",
}


def of(grain: Grain, key: str, label: str) -> str:
    """What a row of a grain is called."""
    if key == "-":
        return NOTHING.get(grain, "无")
    if grain is Grain.THEME:
        return THEMES.get(key, key)
    if grain is Grain.PLATFORM:
        return PLATFORMS.get(key, key)
    return label or key
