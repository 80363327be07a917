"""Lists what is said in the demo's tickets, and in which shape each ticket's events come. Data only."""

from typing import Literal, NamedTuple

BOT, GUEST, AGENT = 1, 2, 3  # sender_type
CREATED, PROCESSING, QUEUED, PENDING, WAITING_FOR_USER = 1, 2, 3, 4, 5  # status
CLOSED_BY_BOT, CLOSED_BY_AGENT, CLOSED_BY_USER = 50, 51, 52


class Turn(NamedTuple):
    """One message: who says what, and the ticket's status with it.

    note: the agent's comment on the ticket, from here on.
    complaint: why the guest is not satisfied (zh, en, ja).
    """

    who: int
    status: int
    text: str
    msg_type: Literal["text", "post", "image"] = "text"
    note: str = ""
    complaint: tuple[str, str, str] | None = None


class Scenario(NamedTuple):
    """A ticket from its first message to its close, and the shapes of its events.

    as_list: `comments` and `dissatisfaction_reason` come as lists (else as objects).
    numeric: `position` and `chat_id` come as numbers (else as strings). bare: the ticket has two fields only.
    """

    guest: str
    agent: str
    department: str
    city: str
    country: str
    turns: tuple[Turn, ...]
    as_list: bool = False
    numeric: bool = False
    bare: bool = False


SCENARIOS = (
    Scenario(
        guest="李雷",
        agent="王芳",
        department="信息技术部",
        city="北京",
        country="CN",
        turns=(
            Turn(GUEST, CREATED, "VPN 下载好了，但是登录时提示“证书已过期”"),
            Turn(BOT, CREATED, "您好，我是 IT 小助手。您可以先看看《VPN 常见问题》第 3 条：更新客户端证书。"),
            Turn(
                GUEST,
                QUEUED,
                "看了，还是不行 😭 转人工",
                complaint=("答案看不懂", "I don't understand", "回答が複雑すぎる"),
            ),
            Turn(AGENT, PROCESSING, "您好，我是王芳，马上帮您重新签发证书。", note="证书 9 月到期，需重新签发"),
            Turn(AGENT, WAITING_FOR_USER, "已签发，请完全退出客户端后重新登录试试。"),
            Turn(GUEST, PROCESSING, "可以了，谢谢！🎉"),
            Turn(AGENT, CLOSED_BY_AGENT, "不客气，祝您工作顺利。本次服务已结束，请您评价。"),
        ),
    ),
    Scenario(
        guest="Maria Sørensen",
        agent="Tom O'Neill",
        department="Finance Shared Services",
        city="Singapore",
        country="SG",
        as_list=True,
        numeric=True,
        turns=(
            Turn(GUEST, CREATED, 'My expense report says "rejected: missing receipt", but I attached it.'),
            Turn(
                BOT,
                CREATED,
                "Hi Maria! Reports are re-checked every night. Would you like to talk to a person?",
            ),
            Turn(GUEST, QUEUED, "Yes please. The hotel wants its money by Friday."),
            Turn(GUEST, QUEUED, "[receipt]", "image"),
            Turn(
                AGENT,
                PROCESSING,
                "Hello Maria, Tom here. The scan is upside down, the OCR gave up on it.",
                note="OCR fails on rotated scans\nsee FIN-2041",
            ),
            Turn(
                AGENT,
                PENDING,
                "I turned it and asked accounting for approval.",
                complaint=("等待时间太长", "It took too long", "待ち時間が長すぎる"),
            ),
            Turn(AGENT, CLOSED_BY_AGENT, "Approved: SGD 412.50 will be paid out tomorrow. Closing this one."),
        ),
    ),
    Scenario(
        guest="赵敏",
        agent="陈晨",
        department="行政部",
        city="上海",
        country="CN",
        bare=True,
        turns=(
            Turn(GUEST, CREATED, "7 楼打印机又卡纸了"),
            Turn(BOT, CREATED, "请问是哪一台？回复编号即可：① HP-7F-01 ② HP-7F-02"),
            Turn(GUEST, PROCESSING, "②"),
            Turn(GUEST, CLOSED_BY_USER, "算了，同事已经修好了，关闭吧"),
        ),
    ),
    Scenario(
        guest="Kenji 佐藤",
        agent="",
        department="Tokyo Office",
        city="東京",
        country="JP",
        as_list=True,
        turns=(
            Turn(GUEST, CREATED, "How do I change my Wi-Fi password? パスワードを変更したいです"),
            Turn(
                BOT,
                PROCESSING,
                "Open Settings → Network → Reset password. 三步即可完成，详见图文指引。",
                "post",
            ),
            Turn(GUEST, PROCESSING, "ありがとう, that worked \\o/"),
            Turn(BOT, CLOSED_BY_BOT, "Glad to help! This ticket was closed automatically."),
        ),
    ),
)
