"""The sheets of a class's archive, one after another: what a bureau must be able to print."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from fractions import Fraction

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.models import AuditEntry
from livehub.kit import clock
from streamers import people
from streamers.training import claim_reads, followups, queries
from streamers.training.archive_words import (
    CHECKS,
    CLAIM_REASONS,
    EMPLOYMENT,
    EXAMS,
    LESSONS,
    METHODS,
    PRESENCE,
    STATES,
)
from streamers.training.course_models import (
    Assessment,
    Certificate,
    GraduationDecision,
    Lesson,
    PracticeStream,
)
from streamers.training.models import COUNTED
from streamers.training.queries import Whole
from streamers.training.subsidy_models import SubsidyClaim, SubsidyLine


class Sheet(Struct, frozen=True, kw_only=True):
    """One table of texts; ``path`` is without its ending."""

    path: str
    title: str
    head: Sequence[str]
    rows: list[Sequence[str]]


async def of(whole: Whole, *, in_clear: bool) -> AsyncIterator[Sheet]:
    """Every sheet of a class in the order of its life."""
    yield _application(whole)
    yield _roster(whole, in_clear=in_clear)
    yield _timetable(whole)
    for number, lesson in enumerate(whole.lessons, start=1):
        if lesson.cancelled_at is None:
            yield await _sign_in(whole, lesson, number)
    yield await _scores(whole)
    yield await _practice(whole)
    yield await _passed(whole)
    yield await _certificates(whole)
    yield await _visits(whole)
    yield await _claim(whole)
    yield await _checks(whole)
    yield await _changes(whole)


def plain(name: str) -> str:
    """A text as a part of a file's name: no folder, no drive, nothing that a shell would read."""
    return re.sub(r"[^\w.\-]+", "_", name).strip("._")[:60] or "file"


def _application(whole: Whole) -> Sheet:
    head = ("申请时间", "申请人", "逾期原因", "名册人数", "答复期限", "决定", "决定人", "决定时间", "原因")
    decisions = {"approved": "批准", "rejected": "驳回", "": "待批准"}
    rows = [
        (
            _at(each.submitted_at),
            each.submitted_by,
            each.late_reason,
            str(len(msgspec.json.decode(each.roster))),
            str(each.answer_due_on),
            decisions[each.decision],
            each.decided_by,
            _at(each.decided_at),
            each.reason,
        )
        for each in reversed(whole.applications)
    ]
    return Sheet(path="01-开班申请", title="开班申请", head=head, rows=list(rows))


def _roster(whole: Whole, *, in_clear: bool) -> Sheet:
    head = ("序号", "姓名", "身份证号", "手机号", "性别", "乡镇", "学历", "状态", "进班日期", "离班原因")
    genders = {"female": "女", "male": "男"}
    rows = []
    for number, each in enumerate(whole.people, start=1):
        numbers = people.numbers_of(each.person)
        rows.append(
            (
                str(number),
                each.person.name,
                numbers.identity if in_clear else _masked(numbers.identity, 4, 4),
                numbers.phone if in_clear else _masked(numbers.phone, 3, 4),
                genders.get(each.person.gender, ""),
                each.person.town,
                each.person.education,
                STATES[each.state],
                _day(each.enrolled_on),
                each.reason,
            )
        )
    return Sheet(path="02-花名册", title="花名册", head=head, rows=list(rows))


def _timetable(whole: Whole) -> Sheet:
    head = ("日期", "开始", "结束", "课程", "类型", "学时", "必修", "地点", "取消原因")
    rows = [
        (
            str(clock.local_day(each.starts_at)),
            f"{clock.local(each.starts_at):%H:%M}",
            f"{clock.local(each.ends_at):%H:%M}",
            each.title,
            LESSONS[each.kind],
            f"{each.tenths / 10:g}",
            "是" if each.required else "否",
            each.place,
            each.cancel_reason,
        )
        for each in whole.lessons
    ]
    return Sheet(path="03-课表", title="课表", head=head, rows=list(rows))


async def _sign_in(whole: Whole, lesson: Lesson, number: int) -> Sheet:
    head = ("姓名", "考勤", "方式", "登记时间", "登记人", "原因")
    noted = await queries.attendance([lesson.id])
    rows: list[Sequence[str]] = []
    for each in whole.people:
        line = noted.get((lesson.id, each.id))
        if line is not None:
            rows.append(
                (
                    each.person.name,
                    PRESENCE[line.status],
                    METHODS[line.method],
                    _at(line.at),
                    line.by_name,
                    line.reason,
                )
            )
        elif each.state in COUNTED:
            rows.append((each.person.name, "没有登记", "", "", "", ""))
    day = clock.local_day(lesson.starts_at)
    path = f"04-签到表/{number:02}-{day:%Y%m%d}-{plain(lesson.title)}"
    return Sheet(path=path, title="签到表", head=head, rows=rows)


async def _scores(whole: Whole) -> Sheet:
    head = (
        "考核",
        "类型",
        "日期",
        "姓名",
        "第几次",
        "分数",
        "更正次数",
        "考官",
        "原因",
        "登记人",
        "登记时间",
    )
    rows = await database.fetch(
        "SELECT s.*, e.id AS who FROM score s JOIN enrolment e ON e.id = s.enrolment_id"
        " WHERE e.cohort_id = $1 ORDER BY s.assessment_id, e.id, s.attempt, s.revision",
        whole.row.id,
    )
    exams: dict[int, Assessment] = {each.id: each for each in whole.assessments}
    names = _names(whole)
    lines = [
        (
            exams[row["assessment_id"]].name,
            EXAMS[exams[row["assessment_id"]].kind],
            str(exams[row["assessment_id"]].held_on),
            names[row["who"]],
            str(row["attempt"]),
            f"{row['tenths'] / 10:g}",
            str(row["revision"] - 1),
            row["examiner"],
            row["reason"],
            row["by_name"],
            _at(clock.from_ms(row["at"])),
        )
        for row in rows
    ]
    return Sheet(path="05-成绩", title="成绩", head=head, rows=list(lines))


async def _practice(whole: Whole) -> Sheet:
    head = ("姓名", "场次", "日期", "核实分钟", "导师", "评分", "登记人", "登记时间")
    found = await PracticeStream.filter(enrolment__cohort_id=whole.row.id).order_by("id")
    names = _names(whole)
    rows = [
        (
            names[each.enrolment_id],
            each.broadcast_ref,
            str(each.on_day),
            str(each.verified_minutes),
            each.mentor,
            "" if each.tenths is None else f"{each.tenths / 10:g}",
            each.by_name,
            _at(each.at),
        )
        for each in found
    ]
    return Sheet(path="06-实训直播", title="实训直播", head=head, rows=list(rows))


async def _passed(whole: Whole) -> Sheet:
    head = ("姓名", "结果", "出勤率", "没有达到的", "结业标准", "认定人", "认定时间")
    found = await GraduationDecision.filter(enrolment__cohort_id=whole.row.id).order_by("enrolment_id", "seq")
    names = _names(whole)
    rows = [
        (
            names[each.enrolment_id],
            "结业" if each.graduated else "未结业",
            _rate(each.given),
            "、".join(msgspec.json.decode(each.reasons, type=list[str])),
            f"第 {whole.rule_version} 版",
            each.by_name,
            _at(each.at),
        )
        for each in found
    ]
    return Sheet(path="07-结业名单", title="结业名单", head=head, rows=list(rows))


async def _certificates(whole: Whole) -> Sheet:
    head = ("编号", "姓名", "发证日期", "状态", "原因", "PDF 的 SHA-256")
    states = {"issued": "有效", "revoked": "已作废", "replaced": "已换发"}
    found = await Certificate.filter(enrolment__cohort_id=whole.row.id).order_by("year", "number")
    names = _names(whole)
    rows = [
        (
            each.serial,
            names[each.enrolment_id],
            str(each.issued_on),
            states[each.state],
            each.reason,
            bytes(each.paper_sha256).hex() if each.paper_sha256 is not None else "",
        )
        for each in found
    ]
    return Sheet(path="08-证书登记", title="证书登记", head=head, rows=list(rows))


async def _visits(whole: Whole) -> Sheet:
    head = ("姓名", "第几天", "首播", "场次", "净成交额（元）", "就业", "说明", "回访人", "回访时间")
    rows = [
        (
            each.enrolment.person.name,
            str(each.day),
            _day(each.first_stream_on),
            str(each.broadcasts),
            "其他部门的场次在内，不列" if each.elsewhere else _yuan(each.net_sales_fen),
            EMPLOYMENT[each.employment],
            each.note,
            each.contacted_by,
            _at(each.at),
        )
        for each in await followups.of_cohort(whole.row.id)
    ]
    return Sheet(path="09-跟踪回访", title="跟踪回访", head=head, rows=list(rows))


async def _claim(whole: Whole) -> Sheet:
    head = ("姓名", "职业", "等级", "可以申领", "原因", "每人标准（元）", "系数", "合格率", "金额（元）")
    claim = await SubsidyClaim.get_or_none(cohort_id=whole.row.id)
    rows: list[Sequence[str]] = []
    if claim is not None:
        names = _names(whole)
        same = (_yuan(claim.per_head_fen), claim.factor, claim.pass_rate)
        found = await SubsidyLine.filter(claim_id=claim.id).order_by("id")
        rows += [
            (
                names[each.enrolment_id],
                each.occupation,
                str(each.level or ""),
                "是" if each.eligible else "否",
                CLAIM_REASONS.get(each.reason, ""),
                *same,
                _yuan(each.amount_fen),
            )
            for each in found
        ]
        rows.append(("合计", "", "", "", "", *same, _yuan(claim.total_fen)))
    return Sheet(path="10-补贴测算", title="补贴测算", head=head, rows=rows)


async def _checks(whole: Whole) -> Sheet:
    head = ("姓名", "方式", "是否属实", "说明", "抽查人", "抽查时间")
    rows = [
        (
            each.enrolment.person.name,
            CHECKS[each.method],
            "属实" if each.confirmed else "不符",
            each.note,
            each.by_name,
            _at(each.at),
        )
        for each in await claim_reads.checks_of(whole.row.id)
    ]
    return Sheet(path="11-抽查", title="抽查", head=head, rows=list(rows))


async def _changes(whole: Whole) -> Sheet:
    head = ("时间", "谁", "做了什么", "对象", "编号", "结果", "详情")
    bureaus = [0, whole.programme.bureau_id]
    about = await _objects(whole)
    found = AuditEntry.filter(
        centre_id=whole.row.centre_id,
        bureau_id__in=bureaus,
        at__gte=clock.to_ms(whole.row.created_at),
        object_id__in=[public_id for _, public_id in about],
    ).order_by("id")
    rows = [
        (
            _at(each.at),
            each.actor_name,
            each.action,
            each.object_kind,
            each.object_id,
            each.result,
            each.detail,
        )
        for each in await found
        if (each.object_kind, each.object_id) in about
    ]
    return Sheet(path="12-变更记录", title="变更记录", head=head, rows=list(rows))


async def _objects(whole: Whole) -> set[tuple[str, str]]:
    """(kind, public id) of everything of a class that an audit entry can be about."""
    papers = await Certificate.filter(enrolment__cohort_id=whole.row.id).values_list("public_id", flat=True)
    claims = await SubsidyClaim.filter(cohort_id=whole.row.id).values_list("public_id", flat=True)
    return {
        ("cohort", whole.row.public_id),
        ("programme", whole.programme.public_id),
        *(("enrolment", each.public_id) for each in whole.people),
        *(("lesson", each.public_id) for each in whole.lessons),
        *(("assessment", each.public_id) for each in whole.assessments),
        *(("certificate", str(each)) for each in papers),
        *(("subsidy_claim", str(each)) for each in claims),
    }


def _names(whole: Whole) -> dict[int, str]:
    return {each.id: each.person.name for each in whole.people}


def _masked(number: str, head: int, tail: int) -> str:
    """The first and last letters with stars between, '' for none."""
    hidden = len(number) - head - tail
    return f"{number[:head]}{'*' * hidden}{number[-tail:]}" if hidden > 0 else ""


def _rate(given: str) -> str:
    found = msgspec.json.decode(given)
    rate = Fraction(found["attended"]) / found["held"] if found["held"] else Fraction(0)
    return str(rate)


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02}" if fen >= 0 else f"-{-fen // 100}.{-fen % 100:02}"


def _day(day: date | None) -> str:
    return "" if day is None else str(day)


def _at(instant: datetime | None) -> str:
    return "" if instant is None else f"{clock.local(instant):%Y-%m-%d %H:%M:%S}"
