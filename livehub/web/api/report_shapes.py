"""Shapes of reports over the API."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from livehub.reports import documents
from livehub.reports.basis import Axis, Basis
from livehub.reports.models import ReportState
from livehub.web.api.shapes import AsOf, Fen, Instant, Paging

Name = Annotated[str, Meta(max_length=16)]
Kind = Annotated[str, Meta(max_length=24, description="哪种报表：monthly、broadcast_ledger、voucher_funds…")]
Number = Annotated[int, Meta(ge=1, le=1_000_000, description="第几段，从 1 开始")]
Hash = Annotated[str, Meta(description="SHA-256，十六进制")]


class ReportsQuestion(Paging, frozen=True, kw_only=True):
    """哪些报表。"""

    state: Annotated[Literal["", "draft", "signed", "submitted", "returned"], Meta(description="状态")] = ""
    kind: Kind = ""


class ReportWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """编制哪份报表。"""

    kind: Kind
    bureau: Annotated[Name, Meta(description="主管部门公开编号")]
    since: Annotated[date, Meta(description="起始日（含）")] = field(name="from")
    until: Annotated[date, Meta(description="截止日（不含）")] = field(name="to")
    axis: Annotated[Axis | None, Meta(description="日期轴；不填用这种报表通常的")] = None
    basis: Basis = Basis.G3


class Signing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """签的是看到的那一份：它的时点和 SHA-256。"""

    as_of: Instant
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="看到的内容的 SHA-256")]


class Submitting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """上报的回执。"""

    reference: Annotated[str, Meta(max_length=documents.REFERENCE_LENGTH, description="回执号或文号")] = ""


class Returning(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """为什么退回。"""

    reason: Annotated[str, Meta(min_length=2, max_length=documents.REASON_LENGTH)]


class ReportRow(Struct, frozen=True, kw_only=True):
    """一份报表。"""

    id: str
    kind: str
    since: date = field(name="from")
    until: Annotated[date, Meta(description="不含")] = field(name="to")
    axis: Axis
    basis: Basis
    state: ReportState
    prepared_by: str
    prepared_at: Instant
    as_of: Annotated[Instant | None, Meta(description="签字的数字截至何时；草稿为空")]
    sha256: Annotated[str, Meta(description="签字的内容的 SHA-256；草稿为空")]
    signed_by: str
    signed_at: Instant | None
    submitted_by: str
    submitted_at: Instant | None
    reference: str
    returned_by: str
    returned_at: Instant | None
    reason: str


class ReportFigure(Struct, frozen=True, kw_only=True):
    """一个数：分子、分母、单位、口径，依据是哪个文件哪一列的合计，在哪里打开。"""

    numerator: int | None
    denominator: int | None
    unit: str
    basis: str
    as_of: AsOf
    evidence_url: Annotated[str, Meta(description="打开明细的页面")]
    evidence_file: Annotated[str, Meta(description="资料包里的文件")]
    why: Annotated[str, Meta(description="没有数的原因")]


class ReportLine(Struct, frozen=True, kw_only=True):
    """报表的一行。"""

    names: list[str]
    figures: list[ReportFigure]
    is_total: bool


class ReportTable(Struct, frozen=True, kw_only=True):
    """报表的一张表。"""

    name: str
    title: str
    heads: list[str]
    columns: list[str]
    rows: list[ReportLine]
    note: str


class ReportPackState(Struct, frozen=True, kw_only=True):
    """资料包生成到哪一步。"""

    state: Literal["waiting", "done", "failed"]
    rows: Annotated[int, Meta(description="已写入的依据行数")]
    size: int
    sha256: str
    error: str


class ReportChange(Struct, frozen=True, kw_only=True):
    """签字之后才入账的变动，报表不改。"""

    reason: str
    g2_fen: Fen
    refund_fen: Fen
    g3_fen: Fen
    orders: int
    first_at: Instant
    last_at: Instant


class ReportWhole(Struct, frozen=True, kw_only=True):
    """一份报表的全部内容：签字的，或草稿现在的。"""

    report: ReportRow
    title: str
    as_of: AsOf
    sha256: Hash
    tables: list[ReportTable]
    pack: ReportPackState | None
    changes: Annotated[list[ReportChange], Meta(description="签字后的变动；草稿没有")]


class PieceQuestion(Struct, frozen=True, kw_only=True):
    """资料包的哪一段。"""

    piece: Number = 1


class PackPiece(Struct, frozen=True, kw_only=True):
    """资料包的一段，按顺序接起来就是 ZIP。"""

    name: str
    size: Annotated[int, Meta(description="整个文件的字节数")]
    sha256: Annotated[str, Meta(description="整个文件的 SHA-256")]
    piece: int
    content_base64: Annotated[str, Meta(description="这一段的字节，base64")]


class AuditPackQuestion(PieceQuestion, frozen=True, kw_only=True):
    """审计包的哪一段；同一时点的各段才接得起来。"""

    as_of: Annotated[Instant | None, Meta(description="第一段回答里的时点")] = None


class AuditPackPiece(Struct, frozen=True, kw_only=True):
    """审计包的一段，按顺序接起来就是 ZIP。"""

    name: str
    as_of: AsOf
    piece: int
    is_last: bool
    content_base64: Annotated[str, Meta(description="这一段的字节，base64")]
