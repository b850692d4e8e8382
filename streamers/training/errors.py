"""What training refuses, in words for a person."""

from __future__ import annotations

from livehub.kit.errors import Conflict, Forbidden, Invalid, NotFound


class ProgrammeRefused(Invalid):
    """培训项目的内容有误，请按提示修改。"""

    code = "PROGRAMME_REFUSED"


class PresetUnknown(NotFound):
    """没有这个城市的培训规定。"""

    code = "TRAINING_PRESET_UNKNOWN"


class CohortRefused(Invalid):
    """培训班的内容有误，请按提示修改。"""

    code = "COHORT_REFUSED"


class CohortCodeTaken(Conflict):
    """这个班次编号已被使用。"""

    code = "COHORT_CODE_TAKEN"


class NotReady(Conflict):
    """这个培训班还不能走到下一步，请按提示补齐。"""

    code = "COHORT_NOT_READY"


class AppliedLate(Conflict):
    """离开班日期太近，已过规定的申请时间；确需开班请写明原因。"""

    code = "COHORT_APPLIED_LATE"


class EnrolmentClosed(Conflict):
    """这个培训班现在不能增减学员。"""

    code = "ENROLMENT_CLOSED"


class AlreadyEnrolled(Conflict):
    """这位学员已经在这个培训班里。"""

    code = "ALREADY_ENROLLED"


class LessonsOverlap(Conflict):
    """和学员在另一个培训班的课时冲突；确需参加请写明原因。"""

    code = "LESSONS_OVERLAP"


class LessonRefused(Invalid):
    """课时的内容有误，请按提示修改。"""

    code = "LESSON_REFUSED"


class CheckInRefused(Forbidden):
    """签到码已过期或不对，请重新扫大屏上的二维码。"""

    code = "CHECK_IN_REFUSED"


class NotCheckInTime(Conflict):
    """现在不在签到时间内。"""

    code = "NOT_CHECK_IN_TIME"


class AttendanceRefused(Invalid):
    """考勤的内容有误，请按提示修改。"""

    code = "ATTENDANCE_REFUSED"


class ScoreRefused(Invalid):
    """成绩的内容有误，请按提示修改。"""

    code = "SCORE_REFUSED"


class CertificateRefused(Conflict):
    """这位学员不能发证：没有结业，或已有一张有效证书。"""

    code = "CERTIFICATE_REFUSED"


class CertificateEnded(Conflict):
    """这张证书已经作废或换发。"""

    code = "CERTIFICATE_ENDED"


class PaperChanged(Conflict):
    """证书文件与发证时的摘要不符，已停止下载，请联系管理员核查。"""

    code = "PAPER_CHANGED"


class RosterRefused(Invalid):
    """名册里有不合格的行，整批没有导入。"""

    code = "ROSTER_REFUSED"


class FollowUpRefused(Invalid):
    """回访的内容有误，请按提示修改。"""

    code = "FOLLOW_UP_REFUSED"


class MentorKnown(Conflict):
    """这个人已经是导师。"""

    code = "MENTOR_KNOWN"


class IncubationRefused(Invalid):
    """孵化的内容有误，请按提示修改。"""

    code = "INCUBATION_REFUSED"


class AlreadyIncubated(Conflict):
    """这个人还在另一次孵化里。"""

    code = "ALREADY_INCUBATED"


class ClaimRefused(Invalid):
    """补贴申领的内容有误，请按提示修改。"""

    code = "SUBSIDY_CLAIM_REFUSED"


class ClaimChanged(Conflict):
    """名册、证书或抽查在测算之后变了，请重新测算再提交。"""

    code = "SUBSIDY_CLAIM_CHANGED"


class ClaimLate(Conflict):
    """已过规定的申领时间；确需申领请写明原因。"""

    code = "SUBSIDY_CLAIM_LATE"


class NothingToClaim(Conflict):
    """没有可以申领的人，或每人补贴标准是 0。"""

    code = "NOTHING_TO_CLAIM"


class AlreadySubsidised(Conflict):
    """有学员的同一职业同一等级已在别的班申领，请重新测算。"""

    code = "ALREADY_SUBSIDISED"


class SpotChecksMissing(Conflict):
    """抽查人数不够，不能批准。"""

    code = "SPOT_CHECKS_MISSING"


class SpotCheckRefused(Invalid):
    """抽查的内容有误，请按提示修改。"""

    code = "SPOT_CHECK_REFUSED"


class EvidenceRefused(Invalid):
    """材料不能保存，请按提示修改。"""

    code = "EVIDENCE_REFUSED"


class EvidenceKnown(Conflict):
    """这个班已有同一份文件。"""

    code = "EVIDENCE_KNOWN"


class EvidenceChanged(Conflict):
    """材料与保存时的摘要不符，已停止下载，请联系管理员核查。"""

    code = "EVIDENCE_CHANGED"
