"""The operations that are measured, and their requests: the same bytes for Laurel and its peers.

Each is sent as a POST with the document's full text, as any GraphQL client does by default; no side
is given a trusted or persisted document.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

HOST = "bench.example"
"""The host that requests name, which is that of the servers' issuer."""
PARTNER = "bench"
LINES = 2
BATCH = 100
CURRENCY = "USD"

HOME = """query Home {
  me {
    name
    card { number status issuedAt }
    points {
      available pending held owed lifetimeEarned lifetimeRedeemed lifetimeExpired
      nextExpiry { points expiresAt }
      expiring(withinDays: 150) { points expiresAt }
    }
    tier {
      name rank multiplierPercent since changes
      qualifyingSpend { amount currencyCode }
      next {
        name progressPercent
        minSpend { amount currencyCode }
        amountMissing { amount currencyCode }
      }
    }
    cashback {
      available { amount currencyCode }
      pending { amount currencyCode }
      held { amount currencyCode }
      lifetimeAccrued { amount currencyCode }
      monthAccrued { amount currencyCode }
      monthCap { amount currencyCode }
    }
    challenges {
      key title metric period progress target progressPercent rewardPoints
      periodStart periodEnd completedAt completions
      streak { current target rewardPoints completions }
    }
    activity(first: 20) {
      nodes { kind title points balanceAfter occurredAt }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""
BALANCE = "query Balance { me { points { available } } }"
PURCHASE = """mutation Purchase($input: RecordPurchaseInput!) {
  recordPurchase(input: $input) {
    __typename
    ... on RecordedPurchase { externalId points }
  }
}"""
PURCHASES = """mutation Purchases($input: RecordPurchasesInput!) {
  recordPurchases(input: $input) {
    __typename
    ... on RecordedPurchases {
      answers { __typename ... on RecordedPurchase { externalId points } }
    }
  }
}"""
_SHELVES = (  # department, category, type
    ("GROCERY", "BREAD", "SANDWICH BREAD"),
    ("PRODUCE", "FRUIT", "APPLES"),
    ("MEAT", "BEEF", "GROUND BEEF"),
    ("DELI", "SALADS", "POTATO SALAD"),
    ("PASTRY", "CAKES", "MUFFINS"),
)


def leaves(value: Any) -> int:
    """How many leaves an answer has: a null is one, an empty list none."""
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    if isinstance(value, list):
        return sum(map(leaves, value))
    return 1


def body(document: str, variables: dict[str, Any] | None = None) -> bytes:
    """The body of a request."""
    given: dict[str, Any] = {"query": document}
    if variables is not None:
        given["variables"] = variables
    return json.dumps(given, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Draw:
    """What one purchase is made of by chance."""

    member: str  # the external id
    prices_minor: Sequence[int]


def purchase(draw: Draw, external_id: str, at: datetime) -> dict[str, Any]:
    """The input of a purchase with a line for each price, of one shelf after the other."""
    return {
        "externalId": external_id,
        "member": {"externalId": draw.member},
        "occurredAt": at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "storeId": "1",
        "currencyCode": CURRENCY,
        "lines": [
            {
                "productId": str(100 + number),
                "quantity": 1,
                "salesMinor": price,
                "department": department,
                "productCategory": category,
                "productType": kind,
            }
            for number, (price, (department, category, kind)) in enumerate(
                zip(draw.prices_minor, _SHELVES, strict=False)
            )
        ],
    }


def one_purchase(draw: Draw, external_id: str, at: datetime) -> bytes:
    """The body that records one purchase."""
    given = {"idempotencyKey": external_id, "purchase": purchase(draw, external_id, at)}
    return body(PURCHASE, {"input": given})


def many_purchases(draws: Sequence[Draw], external_id: str, at: datetime) -> bytes:
    """The body that records a batch."""
    bought = [purchase(one, f"{external_id}-{n}", at) for n, one in enumerate(draws)]
    return body(PURCHASES, {"input": {"idempotencyKey": external_id, "purchases": bought}})


def request(content: bytes, credential: str) -> bytes:
    """The whole HTTP request."""
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        "Accept: application/json\r\n"
        f"Authorization: Bearer {credential}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
