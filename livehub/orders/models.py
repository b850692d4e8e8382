"""Orders as merged states, what each adds to the buckets, and the buckets."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DayField, InstantField


class SalesOrder(Model):
    """订单: the merge of every fact about it, and the contribution last booked from it."""

    id = fields.BigIntField(primary_key=True)
    centre_id = fields.BigIntField()
    shop_id = fields.BigIntField()
    platform = fields.CharField(max_length=32)
    order_ref = fields.CharField(max_length=64)
    state = fields.TextField(default="")  # canonical JSON of state.OrderState
    contribution = fields.TextField(default="")  # canonical JSON of what is booked
    revision = fields.IntField(default=0)
    status = fields.CharField(max_length=24, default="incomplete")  # for display, computed from the state
    complete = fields.BooleanField(default=False)
    pending = fields.BooleanField(default=True)  # a fetch is outstanding
    told_at = InstantField(default=0)  # the newest update of the order itself that its platform told of
    over_refund = fields.BooleanField(default=False)
    first_seen_at = InstantField()
    paid_at = InstantField(null=True)
    g2_fen = fields.BigIntField(default=0)
    refund_fen = fields.BigIntField(default=0)
    buyer_key = fields.CharField(max_length=32, default="")
    voucher_index = fields.CharField(max_length=32, default="")  # blind index of the voucher code, hex
    changed_at = InstantField()
    left_unpaid_at = InstantField(default=0)  # when it was noted that nobody had paid for a while

    class Meta:
        table = "sales_order"
        unique_together = (("shop_id", "order_ref"),)
        indexes = (("centre_id", "changed_at"), ("order_ref",))


class OrderLine(Model):
    """What a later mapping may re-attribute: the references of one line."""

    id = fields.BigIntField(primary_key=True)
    order_id = fields.BigIntField()
    line_ref = fields.CharField(max_length=64)
    shop_id = fields.BigIntField()
    platform = fields.CharField(max_length=32)
    product_ref = fields.CharField(max_length=64, default="")
    room_ref = fields.CharField(max_length=64, default="")
    author_ref = fields.CharField(max_length=64, default="")
    paid_at = InstantField(default=0)  # until then when it was placed: by it a line finds its broadcast

    class Meta:
        table = "order_line"
        unique_together = (("order_id", "line_ref"),)
        indexes = (
            ("platform", "room_ref"),
            ("platform", "author_ref", "paid_at"),
            ("shop_id", "product_ref", "order_id"),
        )


class OrderAssignment(Model):
    """An order given to a broadcast by its voucher."""

    id = fields.BigIntField(primary_key=True)
    order_id = fields.BigIntField(unique=True)
    broadcast_id = fields.BigIntField()
    streamer_id = fields.BigIntField()
    attribution = fields.CharField(max_length=1)  # B
    source = fields.CharField(max_length=80)  # which redemption
    at = InstantField()

    class Meta:
        table = "order_assignment"


class LineAssignment(Model):
    """人工认定: what a clerk said of one line, the newest counts. Append-only."""

    id = fields.BigIntField(primary_key=True)
    order_id = fields.BigIntField()
    line_ref = fields.CharField(max_length=64)
    broadcast_id = fields.BigIntField()  # 0: an earlier word was taken back
    streamer_id = fields.BigIntField()
    reason = fields.CharField(max_length=200)
    actor_id = fields.BigIntField()
    actor_name = fields.CharField(max_length=80)
    at = InstantField()

    class Meta:
        table = "line_assignment"
        indexes = (("order_id", "line_ref"),)


class ContributionEntry(Model):
    """贡献: one change of what one line adds to one bucket, append-only, and the drill-down."""

    id = fields.BigIntField(primary_key=True)
    order_id = fields.BigIntField(db_index=True)
    line_ref = fields.CharField(max_length=64)
    centre_id = fields.BigIntField()
    day = DayField()
    broadcast_id = fields.BigIntField()
    shop_id = fields.BigIntField()
    streamer_id = fields.BigIntField()
    product_id = fields.BigIntField()
    attribution = fields.CharField(max_length=1)  # A B C D M U
    minute = fields.BigIntField()  # minutes since the epoch of the payment; 0 outside sale rows
    buyer_paid = fields.BigIntField()
    platform_disc = fields.BigIntField()
    other_disc = fields.BigIntField()
    voucher_subsidy = fields.BigIntField()
    freight = fields.BigIntField()
    refund_sale = fields.BigIntField()
    refund_done = fields.BigIntField()
    refund_apply = fields.BigIntField()
    refund_cash = fields.BigIntField()
    orders = fields.IntField()
    orders_with = fields.IntField()
    units = fields.BigIntField()
    refunds = fields.IntField()
    pending = fields.IntField()
    placed_unpaid = fields.BigIntField(default=0)  # on the day it was placed
    placed_closed = fields.BigIntField(default=0)  # the same, and closed without having been paid
    placed_shift = fields.BigIntField(default=0)  # placed on this day, paid on another; below 0 the reverse
    message_id = fields.BigIntField()  # the inbox message that caused it; 0 when reason is not message
    # message | attribution | clerk | mapping | unpaid | rebuild | repair
    reason = fields.CharField(max_length=16)
    applied_at = InstantField()

    class Meta:
        table = "contribution_entry"
        indexes = (("centre_id", "day"), ("broadcast_id", "day"))


class RollupBucket(Model):
    """汇总: the sum of all entries of one key. 0 or '' means none, never NULL."""

    id = fields.BigIntField(primary_key=True)
    centre_id = fields.BigIntField()
    day = DayField()
    broadcast_id = fields.BigIntField()
    shop_id = fields.BigIntField()
    streamer_id = fields.BigIntField()
    product_id = fields.BigIntField()
    attribution = fields.CharField(max_length=1)
    buyer_paid = fields.BigIntField()
    platform_disc = fields.BigIntField()
    other_disc = fields.BigIntField()
    voucher_subsidy = fields.BigIntField()
    freight = fields.BigIntField()
    refund_sale = fields.BigIntField()
    refund_done = fields.BigIntField()
    refund_apply = fields.BigIntField()
    refund_cash = fields.BigIntField()
    orders = fields.BigIntField()
    orders_with = fields.BigIntField()
    units = fields.BigIntField()
    refunds = fields.BigIntField()
    pending = fields.BigIntField()
    placed_unpaid = fields.BigIntField(default=0)
    placed_closed = fields.BigIntField(default=0)
    placed_shift = fields.BigIntField(default=0)
    revision = fields.BigIntField()

    class Meta:
        table = "rollup_bucket"
        unique_together = (
            ("centre_id", "day", "broadcast_id", "shop_id", "streamer_id", "product_id", "attribution"),
        )
        indexes = (("broadcast_id",),)


class RollupMinute(Model):
    """What was paid in one minute of one broadcast (0: none), kept for 48 hours."""

    id = fields.BigIntField(primary_key=True)
    centre_id = fields.BigIntField()
    broadcast_id = fields.BigIntField()
    minute = fields.BigIntField()
    g2 = fields.BigIntField()
    orders = fields.BigIntField()

    class Meta:
        table = "rollup_minute"
        unique_together = (("centre_id", "minute", "broadcast_id"),)


class RollupRepair(Model):
    """修复: a bucket that was not the sum of its entries, or what a line adds to one. Append-only."""

    id = fields.BigIntField(primary_key=True)
    at = InstantField()
    why = fields.CharField(max_length=8)  # entries | booked | bucket
    order_id = fields.BigIntField()  # 0 of a bucket
    line_ref = fields.CharField(max_length=64)
    centre_id = fields.BigIntField()
    day = DayField()
    broadcast_id = fields.BigIntField()
    shop_id = fields.BigIntField()
    streamer_id = fields.BigIntField()
    product_id = fields.BigIntField()
    attribution = fields.CharField(max_length=1)
    was = fields.TextField()  # JSON: the measures that are not zero
    became = fields.TextField()

    class Meta:
        table = "rollup_repair"
        indexes = (("centre_id", "at"),)


class RollupMark(Model):
    """Up to which entry the audit has come, and had come the time before. One row."""

    id = fields.BigIntField(primary_key=True)
    before_id = fields.BigIntField()
    seen_id = fields.BigIntField()

    class Meta:
        table = "rollup_mark"


class FetchJob(Model):
    """An order or after-sale that must be read from its platform, one row however often it is asked for."""

    id = fields.BigIntField(primary_key=True)
    endpoint_id = fields.BigIntField()
    shop_id = fields.BigIntField()
    kind = fields.CharField(max_length=8)
    shop_ref = fields.CharField(max_length=64)
    order_ref = fields.CharField(max_length=64)
    ref = fields.CharField(max_length=64)
    wanted_at = (
        InstantField()
    )  # business time of the newest update that is asked for; 0 where a list tells none
    message_id = fields.BigIntField()  # the thin message that asked last; 0: a platform's list did
    status = fields.CharField(max_length=8)  # waiting | done | dead
    due_at = InstantField()
    attempts = fields.IntField(default=0)
    lease_until = InstantField(default=0)
    lease_token = fields.BigIntField(default=0)
    last_error = fields.CharField(max_length=500, default="")
    created_at = InstantField()
    fetched_at = InstantField(null=True)

    class Meta:
        table = "fetch_job"
        unique_together = (("shop_id", "kind", "ref"),)
        indexes = (("status", "due_at"),)
