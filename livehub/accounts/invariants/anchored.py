"""Every audit chain still has the heads that were anchored outside the database."""

from __future__ import annotations

from livehub.accounts import anchors
from livehub.kit.invariants import Invariant

INVARIANT = Invariant("accounts.anchored", "审计哈希链与库外锚点一致", anchors.compare)
