"""What the archive of a class calls things on its sheets."""

from __future__ import annotations

STATES = {
    "applied": "申请", "waitlisted": "候补", "enrolled": "在读", "withdrawn": "退学",
    "dismissed": "开除", "graduated": "结业", "failed": "未结业",
}  # fmt: skip
PRESENCE = {"present": "出勤", "late": "迟到", "left_early": "早退", "leave": "请假", "absent": "缺勤"}
METHODS = {"qr": "扫码", "manual": "人工", "import": "导入", "online": "线上"}
LESSONS = {
    "theory": "理论", "practice": "实操", "field": "外出", "online": "线上", "practice_stream": "实训直播",
}  # fmt: skip
EXAMS = {"theory": "理论", "skill": "技能", "defence": "答辩"}
EMPLOYMENT = {
    "streaming": "直播", "employed": "就业", "self_employed": "创业",
    "unemployed": "待业", "studying": "在学", "unreachable": "联系不上",
}  # fmt: skip
EVIDENCE = {
    "photo": "照片", "sign_in": "签到表", "leave_slip": "请假条", "survey": "满意度调查",
    "settlement": "结算材料", "institution": "机构材料", "other": "其他材料",
}  # fmt: skip
CLAIM_REASONS = {
    "NOT_GRADUATED": "没有结业", "NOT_CERTIFIED": "没有有效证书", "CHECK_FAILED": "抽查不符",
    "ALREADY_PAID": "同一职业同一等级已补贴", "HIGHER_PAID": "已补贴过更高等级", "RED_CARD": "全班出勤红牌",
}  # fmt: skip
CHECKS = {"visit": "走访", "phone": "电话", "video": "视频"}
