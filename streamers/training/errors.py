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
