"""消费券 below /bureau/campaigns and /desk/campaigns: drafted, countersigned, planned, watched, ended."""

from livehub.web.campaigns import drafting, households, lotteries, pages

_PARTS = (households, drafting, pages, lotteries)
BUREAU = tuple(part.bureau for part in _PARTS)
DESK = tuple(part.desk for part in _PARTS)
