"""Asks a chat service, without a message, if it takes our address and signature, and whether it wants a keyword."""

import asyncio
import re

from listener.base.errors import ConfigError, Unavailable
from listener.sinks.chat import ChatConfig, GroupBot
from listener.sinks.chat_services import SERVICES, PostOutcome


def ask(config: ChatConfig) -> str:
    """Posts an empty text, which every service refuses after it has looked at who posts it; returns what that showed.

    Raises ConfigError for what the settings must change, Unavailable where there is no answer.
    """
    answer = asyncio.run(_post_nothing(config))
    if _wants_keyword(answer):
        return _with_keyword(config, answer)
    if answer.meaning == "paused":
        raise ConfigError(f"sink {config.name}: {answer.reason}", hint="copy url and secret from the bot's settings")
    if answer.meaning == "again" and not re.match(r"\d+: ", answer.reason):  # no code: it is not the bot who says so
        raise Unavailable(f"sink {config.name}: {answer.reason}")
    return f"the {config.service} bot answers; nothing was posted"


async def _post_nothing(config: ChatConfig) -> PostOutcome:
    bot = GroupBot(config, SERVICES[config.service])
    try:
        async with asyncio.timeout(config.timeout):
            return await bot.post("", "")
    except TimeoutError:
        return PostOutcome("again", f"no answer within {config.timeout:g} s")
    finally:
        await bot.close()


def _wants_keyword(answer: PostOutcome) -> bool:
    """Returns whether a keyword is missing: DingTalk has one code for that and a wrong signature."""
    return answer.reason.startswith("19024") or "keywords not in content" in answer.reason.lower()


def _with_keyword(config: ChatConfig, answer: PostOutcome) -> str:
    if config.keyword is None:
        hint = "set `keyword` to one of the words in the bot's security settings: 安全设置 → 自定义关键词"
        raise ConfigError(f"sink {config.name}: {answer.reason}", hint=hint)
    return f"the {config.service} bot answers and wants a keyword, which is set; nothing was posted"
