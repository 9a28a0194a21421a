"""Purchases that concurrent requests record together."""

from collections.abc import Sequence

from server import clock
from server.edge.gathered_writes import GatheredWrites
from server.errors import DomainError
from server.purchases import service
from server.purchases.service import Answer, RecordedPurchase, Sent
from server.storage.exchange import Companion


async def _record_together(
    sent: Sequence[Sent], companion: Companion[Answer]
) -> Sequence[Answer | None]:
    answers = await service.record_together(sent, now=clock.now(), companion=companion)
    return [
        answer.below("input", "purchase") if isinstance(answer, DomainError) else answer
        for answer in answers
    ]


RECORDED_TOGETHER = GatheredWrites(_record_together, RecordedPurchase)
"""The purchases of requests that record one each."""
