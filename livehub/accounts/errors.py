"""What accounts refuse, and the sentence for each."""

from __future__ import annotations

from livehub.kit.errors import Conflict, Forbidden, Invalid, LivehubError, NotFound, TooMany


class WrongLogin(LivehubError):
    """账号或密码不正确。"""

    code, status = "WRONG_LOGIN", 401


class TooManyLogins(TooMany):
    """登录失败次数过多，请稍后再试，或使用常用设备登录。"""

    code = "TOO_MANY_LOGINS"


class CodeNeeded(LivehubError):
    """还需要输入动态码。"""

    code, status = "CODE_NEEDED", 401

    def __init__(self, challenge: str) -> None:
        super().__init__()
        self.challenge = challenge  # proves for a short while that the password was right


class ChallengeOver(LivehubError):
    """等待动态码的时间已过，请重新输入账号和密码。"""

    code, status = "CHALLENGE_OVER", 401


class WrongCode(Invalid):
    """动态码不正确，或已经用过；请等下一个。"""

    code = "WRONG_CODE"


class SecondFactorOn(Conflict):
    """动态码的状态已经变化，请刷新页面。"""

    code = "SECOND_FACTOR_ON"


class FormExpired(Forbidden):
    """页面已过期，请刷新页面后重新提交。"""

    code = "FORM_EXPIRED"


class WeakPassword(Invalid):
    """密码不符合要求：至少 10 个字符，不能过于简单，也不能包含账号。"""

    code = "WEAK_PASSWORD"


class LoginTaken(Conflict):
    """这个账号名已被使用，请换一个。"""

    code = "LOGIN_TAKEN"


class BadGrant(Invalid):
    """角色与所属单位不匹配：主管部门角色须指定本中心的部门，商户角色须指定商户，其他角色不指定单位。"""

    code = "BAD_GRANT"


class LastAdmin(Conflict):
    """这是本中心最后一位可用的系统管理员，不能停用或撤销；请先把角色授予另一个人。"""

    code = "LAST_ADMIN"


class SamePassword(Invalid):
    """新密码不能与原密码相同。"""

    code = "SAME_PASSWORD"


class PasswordChangeNeeded(Forbidden):
    """当前密码是初始密码，请先设置自己的密码。"""

    code = "PASSWORD_CHANGE_NEEDED"


class OwnAccount(Forbidden):
    """不能更改自己的角色或停用自己的账号，请由另一位管理员操作。"""

    code = "OWN_ACCOUNT"


class SecondPersonNeeded(Forbidden):
    """这一步须由另一个人完成。"""

    code = "SECOND_PERSON_NEEDED"


class PermissionMissing(Forbidden):
    """您没有权限做这个操作。"""


class OutOfScope(NotFound):
    """没有找到这个页面或对象。"""
