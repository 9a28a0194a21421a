"""What a campaign's document is checked for when it is saved."""

from typing import Any

import pytest

from server.definitions import service as definitions
from server.errors import InvalidInput
from server.programme.errors import InvalidDocument
from server.storage import sql
from tests.campaigns.running import MONDAY, campaign, message, published, shop

pytestmark = pytest.mark.usefixtures("database")


async def refused(**changes: Any) -> list[tuple[Any, ...]]:
    """Where the document does not fit, and what would."""
    with pytest.raises(InvalidDocument) as caught:
        await published("campaign", "spring", campaign(**changes))
    return [(one.path, one.accepted) for one in caught.value.problems]


def variants(*shares: int, names: str = "abc", key: str = "hello") -> list[dict[str, Any]]:
    """Variants of one message, with these shares."""
    return [
        {"name": name, "message": key, "share_bps": share}
        for name, share in zip(names, shares, strict=False)
    ]


async def test_everything_that_does_not_fit_is_told_with_its_place() -> None:
    await shop()
    offer = {"kind": "offer_published"}
    await published("message", "trigger", message(trigger=offer))
    await published(
        "segment", "few", {"name": "F", "members": {"kind": "live", "condition": "visits > 1"}}
    )
    await published("message", "few-only", message(segment="few"))
    assert await refused(message="nothing") == [(("message",), "the key of a published message")]
    assert await refused(message="trigger") == [
        (
            ("message",),
            "a message without a trigger, which mentions nothing that campaigns don't know",
        )
    ]
    assert await refused(message="few-only") == [
        (("message",), "a message without a segment: the campaign says who gets it")
    ]
    assert await refused(variants=variants(5_000, 4_999)) == [
        (("variants",), "shares that are 10000 together; these are 9999")
    ]
    assert await refused(variants=variants(5_000, 5_000, names="aa")) == [
        (("variants", 0, "name"), "each name once"),
        (("variants", 1, "name"), "each name once"),
    ]
    assert await refused(variants=variants(10_000)) == [
        (("message",), "a message, or two variants at least")
    ]
    assert await refused(variants=variants(5_000, 5_000), message="hello") == [
        (("variants",), "either message or variants")
    ]
    assert await refused(variants=variants(5_000, 5_000, key="nothing")) == [
        (("variants", place, "message"), "the key of a published message") for place in (0, 1)
    ]
    assert await refused(audience={"kind": "segment", "segment": "x"}) == [
        (("audience", "segment"), "the key of a published segment")
    ]
    assert await refused(goal={"kind": "offer", "offer": "x"}) == [
        (("goal", "offer"), "the key of a published offer")
    ]
    assert [
        path
        for path, _accepted in await refused(time_zone="Europe/Nowhere", at="9999-01-01T00:00:00")
    ] == [
        ("at",),
        ("time_zone",),
    ]
    [(path, accepted)] = await refused(at="2026-05-13T10:00:00Z")
    assert (path, accepted) == (("at",), "a date and a time of day, such as 2026-12-01T10:00:00")
    assert [
        path for path, _accepted in await refused(hold_out_bps=9_001, expires_after_hours=0)
    ] == [
        ("expires_after_hours",),
        ("hold_out_bps",),
    ]


async def test_what_a_campaign_says_is_not_withdrawn_before_it() -> None:
    await shop()
    await published("campaign", "spring", campaign())
    with pytest.raises(InvalidInput):
        await published("message", "hello", None)
    await published("campaign", "spring", None)
    await published("message", "hello", None)


async def test_above_the_limit_of_one_person_a_second_approves_it() -> None:
    await shop()
    document = campaign(budget_minor=2**50)
    async with sql.transaction():
        version, _is_new = await definitions.publish_document(
            "campaign", "spring", document, by="staff:1", now=MONDAY
        )
    assert version is not None
    assert version.status is definitions.DefinitionStatus.WAITING
