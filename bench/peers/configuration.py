"""What the peers are told: the programme, the texts and the keys, as JSON."""

import json
from pathlib import Path
from typing import Any

from bench.archetypes import TILL_KEY
from bench.seeding import ISSUER
from server import messages
from server.challenges import rules as challenges
from server.clock import now
from server.ledger.rules import Reason
from server.members import api_keys, keys
from server.members.defaults import DEFAULT_AUDIENCE
from server.programme import service as programme
from server.storage.database import Address, opened

GRANTS = ("purchase", "welcome", "challenge", "streak", "cashback")
"""Each posting of these is an event of its own in the statement."""
_LANGUAGE = "en"


async def write(url: str, file: Path) -> None:
    """Write what the database's deployment would tell its peers into the file."""
    async with opened(Address("postgres", url)):
        await keys.prepare(issuer=ISSUER)
        told = json.dumps(await _told())
    file.write_text(told, encoding="utf-8")  # noqa: ASYNC240 - a small file, before anything runs


async def _told() -> dict[str, Any]:
    rules = (await programme.rulebook()).at(now()).programme
    return {
        "issuer": ISSUER,
        "audience": DEFAULT_AUDIENCE,
        "jwks": await keys.jwks(),
        "keyHash": api_keys.hash_of(TILL_KEY),
        "currency": rules.programme.currency,
        "timeZone": rules.programme.timezone,
        "monthCap": rules.cashback.monthly_cap_minor,
        "grants": list(GRANTS),
        "titles": _titles(),
        "levels": [
            {
                "name": level.name,
                "min": level.min_spend_minor,
                "multiplierPercent": level.multiplier_percent,
            }
            for level in rules.tiers.levels
        ],
        "challenges": [
            {
                "key": one.key,
                "title": messages.text(f"challenge.{one.key}.title", _LANGUAGE),
                "metric": one.metric.name,
                "period": one.period.name,
                "target": one.target,
                "rewardPoints": one.reward_points,
                "streak": None
                if one.streak is None
                else {"periods": one.streak.periods, "rewardPoints": one.streak.reward_points},
            }
            for one in challenges.challenges_of(rules)
        ],
    }


def _titles() -> dict[str, str]:
    """The titles of the statement's lines, by reason, and by rule for challenges."""
    titles: dict[str, str] = {}
    for reason in Reason:
        key = f"statement.{reason.value}"
        if reason not in (Reason.CHALLENGE, Reason.STREAK):
            titles[reason.value] = messages.text(key, _LANGUAGE)
            continue
        for rule in ("weekly_visits", "departments", "month_spend"):
            title = messages.text(f"challenge.{rule}.title", _LANGUAGE)
            titles[f"{reason.value}:{rule}"] = messages.text(key, _LANGUAGE, title=title)
    return titles
