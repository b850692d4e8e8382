"""What Beihai sells in the demo. Every price is invented; 海鸭蛋 claims no geographical indication."""

from __future__ import annotations

from typing import NamedTuple, get_args

from livehub.sandbox.spec import Platform, ProductSpec

REFUND_RATE = {"egg": 0.07, "dried": 0.07, "condiment": 0.07, "fruit": 0.12, "fresh": 0.10, "pearl": 0.45}


_FIRST_PRODUCT = {
    "doudian": 3_600_000_000_000_000_000,
    "kuaishou": 21_000_000_000_000,
    "wechat_store": 10_000_000_000_000,
}
_FIRST_SKU = {
    "doudian": 1_700_000_000_000_000,
    "kuaishou": 22_000_000_000_000,
    "wechat_store": 2_000_000_000,
}


class Item(NamedTuple):
    """One product: its kind decides how often it comes back, its weight how often it is bought."""

    number: int
    title: str
    price_fen: int
    kind: str
    town: str
    weight: int
    gi: bool = False

    @property
    def refund_rate(self) -> float:
        """The share of its orders that ends in a refund."""
        return REFUND_RATE[self.kind]

    def product_ref(self, platform: Platform) -> str:
        """Its id there: digits at the platforms, a short code in the ERP."""
        if platform in _FIRST_PRODUCT:
            return str(_FIRST_PRODUCT[platform] + self.number)
        return f"BH-{self.number:04d}"

    def sku_ref(self, platform: Platform) -> str:
        """The id of its only variant."""
        if platform in _FIRST_SKU:
            return str(_FIRST_SKU[platform] + self.number)
        return f"BH-{self.number:04d}-1"


ITEMS = (
    Item(1, "沙田沙虫干 100g", 16800, "fresh", "合浦县沙田镇", 5),
    Item(2, "鲜活方格星虫 500g", 19800, "fresh", "合浦县沙田镇", 4),
    Item(3, "烟楼大蚝 净肉 1kg", 13800, "fresh", "合浦县廉州镇", 7),
    Item(4, "西场牡蛎 带壳 5斤", 12800, "fresh", "合浦县西场镇", 6),
    Item(5, "营盘对虾 鲜冻 2斤", 14800, "fresh", "铁山港区营盘镇", 7),
    Item(6, "车螺(文蛤) 鲜活 4斤", 12500, "fresh", "银海区", 6),
    Item(7, "带子(日月贝) 鲜冻 1kg", 13900, "fresh", "电建渔港", 4),
    Item(8, "侨港小海鲜拼盘", 21800, "fresh", "侨港镇", 3),
    Item(9, "涠洲岛花刺参 200g", 22800, "fresh", "涠洲岛", 2),
    Item(10, "海鸭蛋 20枚", 4580, "egg", "海城区", 24),
    Item(11, "烤海鸭蛋 12枚", 3980, "egg", "铁山港区", 20),
    Item(12, "墨鱼干 250g", 5980, "dried", "侨港镇", 12),
    Item(13, "鱿鱼丝 200g", 4280, "dried", "鱿鱼码头", 14),
    Item(14, "虾米 250g", 5280, "dried", "电建渔港", 10),
    Item(15, "侨港沙蟹汁 2瓶", 3680, "condiment", "侨港镇", 9),
    Item(16, "虾酱 2罐", 3880, "condiment", "侨港镇", 8),
    Item(17, "香山鸡嘴荔枝 3斤", 4280, "fruit", "合浦县公馆镇香山村", 12, gi=True),
    Item(18, "涠洲岛香蕉 5斤", 3580, "fruit", "涠洲岛", 9),
    Item(19, "南珠项链 7-8mm", 89800, "pearl", "合浦县", 1),
    Item(20, "南珠耳钉 6-7mm", 23800, "pearl", "铁山港区营盘镇", 2),
)


def products(platform: Platform) -> list[ProductSpec]:
    """The whole catalogue as a shop of that platform lists it."""
    return [
        ProductSpec(
            product_ref=item.product_ref(platform),
            title=item.title,
            price_fen=item.price_fen,
            sku_ref=item.sku_ref(platform),
        )
        for item in ITEMS
    ]


def item_of(product_ref: str) -> Item:
    """The item behind a product's id; KeyError for anything else."""
    return _BY_REF[product_ref]


_BY_REF = {item.product_ref(platform): item for item in ITEMS for platform in get_args(Platform)}
