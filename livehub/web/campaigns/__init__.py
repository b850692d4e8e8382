"""消费券 below /bureau/campaigns and /desk/campaigns: drafted, countersigned, planned, watched, ended."""

from livehub.web.campaigns import budgets, drafting, households, lotteries, merchants, pages, planning

_PARTS = (households, drafting, planning, pages, lotteries, merchants, budgets)
BUREAU = tuple(part.bureau for part in _PARTS)
DESK = tuple(part.desk for part in _PARTS)
