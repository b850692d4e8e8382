"""Teaches mypy what Tortoise adds to a model: the `_id` of each relation, None where a column may be null."""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import (
    MDEF,
    AssignmentStmt,
    CallExpr,
    CastExpr,
    Expression,
    MemberExpr,
    NameExpr,
    SymbolTableNode,
    Var,
)
from mypy.plugin import ClassDefContext, Plugin
from mypy.types import AnyType, NoneType, Type, TypeOfAny, UnionType

RELATIONS = {"ForeignKeyField", "OneToOneField"}
OURS = {"InstantField": "datetime.datetime", "DayField": "datetime.date", "DigestField": "builtins.bytes"}


def plugin(_version: str) -> type[Plugin]:
    return ModelPlugin


class ModelPlugin(Plugin):
    def get_base_class_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        return complete if fullname == "tortoise.models.Model" else None


def complete(context: ClassDefContext) -> None:
    """Walk the fields of one model."""
    for statement in context.cls.defs.body:
        match statement:
            case AssignmentStmt(lvalues=[NameExpr(node=Var()) as target], rvalue=CallExpr() as call):
                if field_name(call.callee) in RELATIONS:
                    relation(context, statement, target, null=may_be_null(call))
                elif field_name(call.callee) in OURS and may_be_null(call):
                    value = context.api.named_type_or_none(OURS[field_name(call.callee)], [])
                    if value is None:
                        context.api.defer()
                        return
                    declare(statement, target, UnionType([value, NoneType()]))


def relation(context: ClassDefContext, statement: AssignmentStmt, target: NameExpr, *, null: bool) -> None:
    """The related object may be anything (models meet by name only); its id is a number."""
    declare(statement, target, AnyType(TypeOfAny.explicit))
    number: Type = context.api.named_type("builtins.int", [])
    column = Var(f"{target.name}_id", UnionType([number, NoneType()]) if null else number)
    column.info = context.cls.info
    column._fullname = f"{context.cls.info.fullname}.{column.name}"  # noqa: SLF001 -- mypy's own plugins do it so
    context.cls.info.names.setdefault(column.name, SymbolTableNode(MDEF, column, plugin_generated=True))


def declare(statement: AssignmentStmt, target: NameExpr, kind: Type) -> None:
    """As if the type had been written beside the name, where none was; the field stands for a value of it."""
    assert isinstance(target.node, Var)  # noqa: S101 -- matched above
    if statement.type is None:
        target.node.type = kind
        target.node.is_ready = True
        target.node.is_inferred = False
    elif isinstance(kind, AnyType):
        return
    cast = CastExpr(statement.rvalue, kind)
    cast.set_line(statement.rvalue)
    statement.rvalue = cast


def field_name(callee: Expression) -> str:
    return callee.name if isinstance(callee, NameExpr | MemberExpr) else ""


def may_be_null(call: CallExpr) -> bool:
    named = dict(zip(call.arg_names, call.args, strict=True))
    value = named.get("null")
    return isinstance(value, NameExpr) and value.name == "True"
