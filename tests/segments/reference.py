"""An independent reckoning of facts, from plain records of what members did."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo


@dataclass
class Bought:
    """A purchase: what of each line is left, by department."""

    at: datetime
    store_id: str
    left: list[tuple[str, int]]
    net_minor: int = 0  # what is left of the whole


@dataclass
class Person:
    """A member."""

    external_id: str
    enrolled_at: datetime
    birthday: date | None = None
    bought: list[Bought] = field(default_factory=list)


def windowed(person: Person, today: date, zone: str, days: int) -> list[Bought]:
    """What was bought on the last so many local days, the day included."""
    first = today - timedelta(days=days - 1)
    local = ZoneInfo(zone)
    return [one for one in person.bought if first <= one.at.astimezone(local).date() <= today]


def facts(person: Person, now: datetime, zone: str) -> dict[str, Any]:
    """The facts of purchases and of days."""
    local = ZoneInfo(zone)
    today = now.astimezone(local).date()
    visits = sorted(one.at for one in person.bought if one.at.astimezone(local).date() <= today)
    told: dict[str, Any] = {
        "visits": len(visits),
        "recency_days": (today - visits[-1].astimezone(local).date()).days if visits else -1,
        "last_visit": visits[-1] if visits else datetime(1970, 1, 1, tzinfo=UTC),
        "member_for_days": (today - person.enrolled_at.astimezone(local).date()).days,
        "external_id": person.external_id,
    }
    for days in (30, 90, 365):
        found = windowed(person, today, zone, days)
        told[f"visits_{days}"] = len(found)
        told[f"spend_{days}_minor"] = sum(one.net_minor for one in found)
    told |= _of_the_year(windowed(person, today, zone, 365))
    told["departments_90"] = sorted(_spends(windowed(person, today, zone, 90)))
    return told | _of_birthday(person.birthday, today)


def _spends(bought: Sequence[Bought]) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for one in bought:
        for department, amount in one.left:
            totals[department] += amount
    return {name: amount for name, amount in totals.items() if amount > 0}


def _of_the_year(bought: Sequence[Bought]) -> dict[str, Any]:
    spend = sum(one.net_minor for one in bought)
    stores: dict[str, list[int]] = defaultdict(list)
    for one in bought:
        stores[one.store_id].append(one.net_minor)
    ranked = sorted(stores, key=lambda store: (-len(stores[store]), -sum(stores[store]), store))
    return {
        "average_basket_minor": max(0, spend // len(bought)) if bought else 0,
        "departments_365": sorted(_spends(bought)),
        "spend_by_department_365": _spends(bought),
        "store_ids": sorted(stores),
        "favourite_store": ranked[0] if ranked else "",
    }


def _of_birthday(born: date | None, today: date) -> dict[str, Any]:
    if born is None:
        return {
            "has_birthday_today": False,
            "birthday_in_days": -1,
            "birthday_month": -1,
            "age": -1,
        }
    days = 0
    while not _is_birthday(born, today + timedelta(days=days)):
        days += 1
    age = sum(
        _is_birthday(born, born + timedelta(days=number))
        for number in range(1, (today - born).days + 1)
    )
    return {
        "has_birthday_today": days == 0,
        "birthday_in_days": days,
        "birthday_month": born.month,
        "age": age,
    }


def _is_birthday(born: date, day: date) -> bool:
    if (born.month, born.day) == (day.month, day.day):
        return True
    is_leap = (date(day.year, 3, 1) - timedelta(days=1)).day == 29
    return (born.month, born.day) == (2, 29) and (day.month, day.day) == (2, 28) and not is_leap
