"""What is not settled yet has an index of its own: each morning looks for it among everything ever redeemed."""

from tortoise import migrations

from livehub.database.operations import index


class Migration(migrations.Migration):
    dependencies = [("livehub", "0030_outcomes")]

    operations = [index("redemption", "redemption_unsettled", "campaign_id, merchant_id", "settled_at IS NULL")]
