"""What is kept of a lottery: its announcement and its draw, who signed up, who was drawn."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DigestField, InstantField


class LotteryDraw(Model):
    """摇号: what is announced before anybody signs up, the list's hash, the draw. Nothing told changes."""

    id = fields.BigIntField(primary_key=True)
    round = fields.OneToOneField("livehub.Round", on_delete=fields.RESTRICT, related_name=False)
    signup_from = InstantField()
    signup_until = InstantField()  # exclusive
    source = fields.CharField(max_length=120)  # of the public randomness: whose number, and which one
    source_at = InstantField()  # when it becomes known
    draw_at = InstantField()
    commitment = DigestField()  # SHA-256 of the seed, public from the start of the sign-up
    seed_sealed = fields.BinaryField()
    entries = fields.IntField(default=0)  # of the frozen list
    list_hash = DigestField(null=True)  # SHA-256 of the frozen list
    frozen_at = InstantField(null=True)
    randomness = fields.CharField(max_length=200, default="")
    entered_by_id = fields.BigIntField(default=0)  # a user; a token's id stands below zero
    confirmed_by_id = fields.BigIntField(default=0)
    confirmed_at = InstantField(null=True)
    seed = DigestField(null=True)  # revealed by the draw
    quantity = fields.IntField(default=0)  # how many could win
    winners = fields.IntField(default=0)
    drawn_at = InstantField(null=True)

    class Meta:
        table = "lottery_draw"


class LotteryEntry(Model):
    """报名: one person's lot, its public id is all that the list tells. Append-only."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    round_id = fields.BigIntField()
    platform = fields.CharField(max_length=32, default="")  # '' where a person has one lot in all
    person_key = DigestField()
    link_id = fields.BigIntField(default=0)
    at = InstantField()

    class Meta:
        table = "lottery_entry"
        unique_together = (("round_id", "platform", "person_key"),)


class LotteryWinner(Model):
    """中签: a lot that was drawn, in the order of the draw, it is what a claim asks for. Append-only."""

    id = fields.BigIntField(primary_key=True)
    entry_id = fields.BigIntField(unique=True)
    round_id = fields.BigIntField()
    platform = fields.CharField(max_length=32, default="")
    person_key = DigestField()
    place = fields.IntField()  # 1: the smallest

    class Meta:
        table = "lottery_winner"
        unique_together = (("round_id", "platform", "person_key"), ("round_id", "place"))
