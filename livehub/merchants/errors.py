"""What this package refuses, in words for a person."""

from __future__ import annotations

from livehub.kit.errors import Invalid


class MerchantRefused(Invalid):
    """商户资料有误，请按提示修改。"""

    code = "MERCHANT_REFUSED"


class ProductRefused(Invalid):
    """商品资料有误，请按提示修改。"""

    code = "PRODUCT_REFUSED"


class QualificationRefused(Invalid):
    """资质内容有误，请按提示修改。"""

    code = "QUALIFICATION_REFUSED"


class ReviewRefused(Invalid):
    """选品结论有误，请按提示修改。"""

    code = "REVIEW_REFUSED"
