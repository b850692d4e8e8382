"""What this package refuses, in words for a person."""

from __future__ import annotations

from livehub.kit.errors import Conflict, Forbidden, Invalid, NotFound


class LinkUnknown(NotFound):
    """这个链接已失效，请向中心工作人员要一个新的。"""

    code = "LINK_UNKNOWN"


class DeviceCodeNeeded(Forbidden):
    """这个链接已在另一部手机上使用；要换到这部手机，请先输入短信验证码。"""

    code = "DEVICE_CODE_NEEDED"


class PersonKnown(Conflict):
    """这个手机号已登记为中心人员。"""

    code = "PERSON_KNOWN"


class AccountKnown(Conflict):
    """这个平台账号已登记在一位主播名下。"""

    code = "ACCOUNT_KNOWN"


class StreamerRefused(Invalid):
    """主播资料有误，请按提示修改。"""

    code = "STREAMER_REFUSED"


class PersonRefused(Invalid):
    """人员资料有误，请按提示修改。"""

    code = "PERSON_REFUSED"


class IdentityKnown(Conflict):
    """这个身份证号已登记为中心人员。"""

    code = "IDENTITY_KNOWN"


class RevealReasonMissing(Invalid):
    """查看证件号码和手机号要写明原因，原因会记入审计。"""

    code = "REVEAL_REASON_MISSING"


class StreamerKnown(Conflict):
    """这个人已经是中心的主播。"""

    code = "STREAMER_KNOWN"
