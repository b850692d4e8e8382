"""A merchant's part in a campaign says who asked for it, who decided, and why not."""

from tortoise import fields, migrations

from livehub.database.fields import InstantField
from livehub.database.operations import AddColumn, SameColumn, check
from livehub.vouchers.models import EnrolmentStatus

_TABLE = "merchant_enrolment"


class Migration(migrations.Migration):
    dependencies = [("livehub", "0033_lotteries")]

    operations = [
        SameColumn(
            "MerchantEnrolment",
            "status",
            fields.CharEnumField(
                description="PENDING: pending\nAPPROVED: approved\nSUSPENDED: suspended\nREJECTED: rejected",
                default=EnrolmentStatus.APPROVED,
                enum_type=EnrolmentStatus,
                max_length=10,
            ),
        ),
        AddColumn("MerchantEnrolment", "asked_by", fields.CharField(default="", max_length=80), table=_TABLE, column="VARCHAR(80) NOT NULL DEFAULT ''"),
        AddColumn("MerchantEnrolment", "asked_at", InstantField(null=True), table=_TABLE, column="BIGINT"),
        AddColumn("MerchantEnrolment", "decided_by", fields.CharField(default="", max_length=80), table=_TABLE, column="VARCHAR(80) NOT NULL DEFAULT ''"),
        AddColumn("MerchantEnrolment", "decided_at", InstantField(null=True), table=_TABLE, column="BIGINT"),
        AddColumn("MerchantEnrolment", "reason", fields.CharField(default="", max_length=200), table=_TABLE, column="VARCHAR(200) NOT NULL DEFAULT ''"),
        check(_TABLE, "merchant_enrolment_why_not", "{new}status NOT IN ('rejected') OR {new}reason <> ''"),
    ]
