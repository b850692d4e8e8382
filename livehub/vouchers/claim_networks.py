"""How many vouchers of a campaign one network took: windows in the database, that all workers share.

An address tells little of a person behind a carrier, so the limit is wide: it stops a room full of phones,
not a village. It is exact for a template, under whose lock it is read; a desk that gives another template of
the campaign at that moment may pass it by a batch. The person's own limit is a slot of claim_slot, the
device's is where its phones are verified.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address

from livehub.kit import limits, sealing

LIMIT = limits.declare("claim.campaign_and_network", 2000, seconds=3600, setting="claim_network_limit")


@lru_cache(maxsize=4096)
def of(ip: str) -> str:
    """The network claims from an address count in; none for our own machine, which is no phone."""
    try:
        return "" if not ip or ip_address(ip).is_loopback else limits.network(ip)
    except ValueError:
        return ""


@lru_cache(maxsize=4096)
def key(campaign_id: int, network: str) -> str:
    """The window of a campaign and a network, which names neither people nor addresses."""
    return f"claim:{campaign_id}:{sealing.ring().blind(network, purpose='claim network').hex()}"


def window(campaign_id: int, ip: str) -> str:
    """The window a claim from an address counts in; '' where it counts in none."""
    network = of(ip)
    return key(campaign_id, network) if network else ""


async def so_far(keys: Collection[str], *, now: datetime) -> Counter[str]:
    """How many each window has."""
    return await limits.so_far(keys, seconds=LIMIT.seconds, now=now)


async def add(given: Counter[str], *, now: datetime) -> None:
    """Count what a batch gave, in the batch's own transaction: what is not counted is not given."""
    await limits.add(given, seconds=LIMIT.seconds, now=now)
