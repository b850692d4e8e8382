"""Windows of time whose lists are read from a platform, what was listed, and where it differs from ours.

Orders that are known already are compared from the next thing on that is told of them.
"""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, InstantField
from livehub.database.operations import AddNumber, CreateModels
from livehub.orders.pull_models import DifferenceKind, DifferenceStatus, WindowStatus


class Migration(migrations.Migration):
    dependencies = [("livehub", "0018_periods")]

    operations = [
        CreateModels(
            ops.CreateModel(
                name='ListedItem',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('shop_id', fields.BigIntField()),
                    ('kind', fields.CharField(max_length=8)),
                    ('ref', fields.CharField(max_length=64)),
                    ('order_ref', fields.CharField(max_length=64)),
                    ('updated_at', InstantField(null=True, generated=False, unique=False)),
                    ('amount_fen', fields.BigIntField(null=True)),
                    ('day', DayField(generated=False, null=False, unique=False)),
                    ('window_id', fields.BigIntField()),
                    ('last_at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'listed_item', 'app': 'livehub', 'unique_together': (('shop_id', 'kind', 'ref'),), 'indexes': [Index(fields=['shop_id', 'day'])], 'pk_attr': 'id', 'table_description': 'An order or after-sale as its platform listed it last.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='SyncCursor',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('shop_id', fields.BigIntField()),
                    ('endpoint_id', fields.BigIntField()),
                    ('kind', fields.CharField(max_length=8)),
                    ('cadence', fields.CharField(max_length=8)),
                    ('window_start', InstantField(generated=False, null=False, unique=False)),
                    ('window_end', InstantField(generated=False, null=False, unique=False)),
                    ('page', fields.CharField(default='', max_length=500)),
                    ('status', fields.CharEnumField(description='WAITING: waiting\nDONE: done\nDEAD: dead\nDROPPED: dropped', enum_type=WindowStatus, max_length=8)),
                    ('pages', fields.IntField(default=0)),
                    ('listed', fields.IntField(default=0)),
                    ('asked', fields.IntField(default=0)),
                    ('attempts', fields.IntField(default=0)),
                    ('due_at', InstantField(generated=False, null=False, unique=False)),
                    ('lease_until', InstantField(default=0, generated=False, null=False, unique=False)),
                    ('lease_token', fields.BigIntField(default=0)),
                    ('last_error', fields.CharField(default='', max_length=500)),
                    ('created_at', InstantField(generated=False, null=False, unique=False)),
                    ('opened_at', InstantField(null=True, generated=False, unique=False)),
                    ('closed_at', InstantField(null=True, generated=False, unique=False)),
                ],
                options={'table': 'sync_cursor', 'app': 'livehub', 'unique_together': (('shop_id', 'kind', 'cadence', 'window_start', 'window_end'),), 'indexes': [Index(fields=['status', 'endpoint_id'])], 'pk_attr': 'id', 'table_description': '拉取窗口: one window of one list of one shop, and how far it was read.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='SyncDifference',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('public_id', fields.CharField(unique=True, max_length=16)),
                    ('centre_id', fields.BigIntField()),
                    ('shop_id', fields.BigIntField()),
                    ('day', DayField(generated=False, null=False, unique=False)),
                    ('kind', fields.CharEnumField(description='MISSING: missing\nAMOUNT: amount\nEXTRA: extra', enum_type=DifferenceKind, max_length=8)),
                    ('about', fields.CharField(max_length=8)),
                    ('ref', fields.CharField(max_length=64)),
                    ('order_ref', fields.CharField(max_length=64)),
                    ('ours_fen', fields.BigIntField(null=True)),
                    ('theirs_fen', fields.BigIntField(null=True)),
                    ('updated_at', InstantField(null=True, generated=False, unique=False)),
                    ('window_id', fields.BigIntField()),
                    ('found_at', InstantField(generated=False, null=False, unique=False)),
                    ('status', fields.CharEnumField(description='OPEN: open\nEXPLAINED: explained\nCLOSED: closed', enum_type=DifferenceStatus, max_length=10)),
                    ('closed_at', InstantField(null=True, generated=False, unique=False)),
                    ('outcome', fields.CharField(default='', max_length=16)),
                    ('reason', fields.CharField(default='', max_length=16)),
                    ('note', fields.CharField(default='', max_length=300)),
                    ('explained_by', fields.CharField(default='', max_length=80)),
                ],
                options={'table': 'sync_difference', 'app': 'livehub', 'unique_together': (('shop_id', 'about', 'ref', 'kind', 'day'),), 'indexes': [Index(fields=['centre_id', 'status']), Index(fields=['shop_id', 'day'])], 'pk_attr': 'id', 'table_description': "对账差异: one order or after-sale of one day that a platform's list and ours tell differently."},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='SyncMark',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('shop_id', fields.BigIntField()),
                    ('kind', fields.CharField(max_length=8)),
                    ('begun_at', InstantField(generated=False, null=False, unique=False)),
                    ('reconciled_until', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'sync_mark', 'app': 'livehub', 'unique_together': (('shop_id', 'kind'),), 'pk_attr': 'id', 'table_description': '对账至: up to when one list of one shop was read without a gap. It never goes back.'},
                bases=['Model'],
            ),
        ),
        AddNumber("SalesOrder", "told_at", InstantField(default=0), table="sales_order"),
    ]
