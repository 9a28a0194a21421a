"""A purchase of a batch that has passed its checks, and the rows that it becomes."""

from server import clock
from server.clock import Instant, LocalDay
from server.programme.service import PublishedProgramme
from server.purchases.outcomes import RecordedPurchase, Sent, encoded
from server.purchases.rules import Amounts
from server.purchases.terms import terms_of
from server.storage import sql
from server.storage.ids import new_ids


class Accepted:
    """A purchase that has passed every check that needs neither its member nor its payments."""

    __slots__ = (
        "amounts",
        "day",
        "member_id",
        "paid",
        "partner",
        "position",
        "published",
        "submission",
        "terms",
    )

    def __init__(
        self, position: int, sent: Sent, published: PublishedProgramme, amounts: Amounts
    ) -> None:
        self.position = position
        self.submission = sent.submission
        self.partner = sent.partner
        self.published = published
        self.amounts = amounts
        self.paid: list[int] = []  # what of it falls on each line; empty without payments
        self.terms = terms_of(published.programme)
        self.day: LocalDay = clock.local_day(sent.submission.draft.occurred_at, self.terms.zone)
        self.member_id = 0

    def row(self, outcome: RecordedPurchase, *, content_hash: str, now: Instant) -> sql.Row:
        """The values of INSERT_PURCHASE."""
        draft = self.submission.draft
        return (
            outcome.purchase_id,
            self.member_id,
            self.partner,
            draft.external_id,
            content_hash,
            draft.store_id,
            draft.occurred_at,
            now,
            clock.month_of(self.day),
            draft.currency,
            outcome.net_minor,
            outcome.eligible_minor,
            self.published.version,
            encoded(outcome),
            outcome.paid_minor,
            0,
            0,
        )

    def line_rows(self, purchase_id: int) -> list[sql.Row]:
        """The values of INSERT_LINE for each line."""
        unknown, member_id = self.terms.unknown, self.member_id
        lines = self.submission.draft.lines
        return [
            (
                id_,
                member_id,
                purchase_id,
                number,
                line.product_id,
                line.department or unknown,
                line.product_category or unknown,
                line.product_type or unknown,
                line.quantity,
                line.sales_minor,
                line.coupon_minor,
                paid,
                0,
                0,
            )
            for number, (id_, line, paid) in enumerate(
                zip(new_ids(len(lines)), lines, self.paid or (0,) * len(lines), strict=True)
            )
        ]
