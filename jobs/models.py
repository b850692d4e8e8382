"""What the jobs process did, and that it is alive."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import InstantField


class JobRun(Model):
    """One run of one scheduled task, inserting it is how a process claims the run."""

    id = fields.BigIntField(primary_key=True)
    job = fields.CharField(max_length=40)
    due_at = InstantField()
    status = fields.CharField(max_length=8)  # running | done | failed
    token = fields.BigIntField()
    lease_until = InstantField()
    attempts = fields.IntField(default=1)
    started_at = InstantField()
    finished_at = InstantField(null=True)
    note = fields.CharField(max_length=500, default="")

    class Meta:
        table = "job_run"
        unique_together = (("job", "due_at"),)


class LoopBeat(Model):
    """The last sign of life of a supervised loop or process."""

    id = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=40, unique=True)
    at = InstantField()
    pid = fields.IntField()
    failures = fields.IntField(default=0)
    note = fields.CharField(max_length=500, default="")

    class Meta:
        table = "loop_beat"
