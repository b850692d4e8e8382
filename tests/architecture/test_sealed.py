"""Every column of sealed bytes is in the list that resealing goes through, with the place it opens at."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.wiring import SEALED
from tests.architecture.tree import import_all, subclasses


def test_every_sealed_column_is_resealed() -> None:
    import_all()
    columns = {
        f"{model._meta.db_table}.{name}"
        for model in subclasses(Model)
        for name, field in model._meta.fields_map.items()
        if isinstance(field, fields.BinaryField) and name.endswith("_sealed")
    }

    assert len(columns) > 5
    assert {each.name for each in SEALED} == columns
