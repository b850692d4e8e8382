"""Three measures more: what was placed and not paid, closed unpaid, and paid on another day than it was placed.

Orders that are known already get theirs by ``livehub rebuild --orders``.
"""

from tortoise import fields, migrations

from livehub.database.fields import InstantField
from livehub.database.operations import AddNumber, PerDialect, index, together

_MEASURES = ("placed_unpaid", "placed_closed", "placed_shift")
# By it a line finds its broadcast: of what is not paid yet, the time of the placing.
_DATED = (
    "UPDATE order_line SET paid_at = (SELECT o.first_seen_at FROM sales_order o WHERE o.id = order_line.order_id)"
    " WHERE paid_at = 0"
)


class Migration(migrations.Migration):
    dependencies = [("livehub", "0008_reviews")]

    operations = [
        *(
            AddNumber(model, name, fields.BigIntField(default=0), table=table)
            for model, table in (("ContributionEntry", "contribution_entry"), ("RollupBucket", "rollup_bucket"))
            for name in _MEASURES
        ),
        AddNumber("SalesOrder", "left_unpaid_at", InstantField(default=0), table="sales_order"),
        together(
            PerDialect(postgres=[_DATED], sqlite=[_DATED]),
            index("contribution_entry", "contribution_entry_shifted", "centre_id, day", "placed_shift <> 0"),
        ),
    ]
