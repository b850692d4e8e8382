"""Who and what the demo is about. Everybody is invented; nobody's number belongs to anybody."""

from __future__ import annotations

from msgspec import Struct

from livehub.accounts.models import Role
from rooms.models import Theme

PASSWORD = "Beihai-demo-2026"  # noqa: S105 -- printed at start; the demo listens on loopback only

BUREAUS = (
    ("北海市农业农村局", "agriculture"),
    ("北海市商务局", "commerce"),
    ("北海市乡村振兴局", "rural_revitalization"),
)

ROOMS = (
    ("R1", "乡村振兴直播间", Theme.RURAL_REVITALIZATION, True),
    ("R2", "农特直播间", Theme.AGRI_SPECIALTY, True),
    ("R3", "党建直播间", Theme.PARTY_BUILDING, False),
    ("R4", "魅力北海直播间", Theme.CHARMING_CITY, True),
)


class Login(Struct, frozen=True):
    """One account of the demo; ``bureau`` counts from 0, -1 is none."""

    login: str
    name: str
    role: Role
    bureau: int = -1


LOGINS = (
    Login("officer", "陈晓岚", Role.BUREAU, 0),
    Login("officer2", "黄志远", Role.BUREAU, 1),
    Login("officer3", "李文静", Role.BUREAU, 2),
    Login("officer4", "覃文海", Role.BUREAU, 0),  # signs what the first one prepares
    Login("staff", "梁海燕", Role.STAFF),
    Login("manager", "周建平", Role.MANAGER),
    Login("finance", "吴敏", Role.FINANCE),
    Login("auditor", "郑毅", Role.AUDITOR),
    Login("admin", "许工", Role.ADMIN),
    Login("merchant", "老侨港海味店", Role.MERCHANT),
)

STREAMERS = (
    ("侨港小林", "林小海", "侨港镇"),
    ("退渔阿姐", "苏秀珍", "合浦县沙田镇"),
    ("岛上阿明", "庞明", "涠洲岛"),
    ("蚝嫂", "陈月娥", "合浦县廉州镇"),
    ("荔枝妹", "廖小荔", "合浦县公馆镇香山村"),
    ("南珠老王", "王国栋", "铁山港区营盘镇"),
    ("渔港阿强", "黄强", "电建渔港"),
    ("海鸭蛋小哥", "钟家豪", "海城区"),
    ("沙虫哥", "劳永福", "合浦县沙田镇"),
    ("银滩小雨", "罗雨", "银海区"),
    ("西场阿婆", "谭桂英", "合浦县西场镇"),
    ("鱿鱼码头阿珍", "冯珍", "鱿鱼码头"),
)

ENDING = {"墨鱼干 250g": 6, "烤海鸭蛋 12枚": 21}  # product -> days its inspection report still holds
TEACHER = "南珠老王"  # who also stands before the classes

SURNAMES = (
    "陈",
    "林",
    "黄",
    "苏",
    "庞",
    "廖",
    "劳",
    "罗",
    "谭",
    "冯",
    "包",
    "蔡",
    "符",
    "卜",
    "石",
    "易",
    "张",
)
GIVEN = (
    *("海燕", "晓明", "丽娟", "志强", "小芳", "国栋", "秀梅", "建华", "春霞", "永福"),
    *("月娥", "家豪", "雪梅", "大勇", "美玲", "文斌", "金凤", "少华", "玉珍", "俊杰"),
)

MERCHANTS = (
    ("老侨港海味店", "侨港镇", ("侨港总店", "银滩分店")),
    ("涠洲岛渔家小院", "涠洲岛", ("岛上小院",)),
)
