"""A purchase of a batch that has passed its checks, and the rows that it becomes."""

from server import clock
from server.clock import Instant, LocalDay
from server.programme.service import PublishedProgramme
from server.purchases.outcomes import RecordedPurchase, Submission, encoded
from server.purchases.rules import Amounts
from server.storage import sql
from server.storage.ids import new_id


class Accepted:
    """A purchase that has passed every check that needs neither its member nor its payments."""

    __slots__ = (
        "amounts",
        "day",
        "member_id",
        "paid",
        "position",
        "published",
        "submission",
    )

    def __init__(
        self, position: int, submission: Submission, published: PublishedProgramme, amounts: Amounts
    ) -> None:
        self.position = position
        self.submission = submission
        self.published = published
        self.amounts = amounts
        self.paid: list[int] = []  # what of it falls on each line; empty without payments
        zone = published.programme.programme.timezone
        self.day: LocalDay = clock.local_day(submission.draft.occurred_at, zone)
        self.member_id = 0

    def row(
        self, outcome: RecordedPurchase, *, partner: str, content_hash: str, now: Instant
    ) -> sql.Row:
        """The values of INSERT_PURCHASE."""
        draft = self.submission.draft
        return (
            outcome.purchase_id,
            self.member_id,
            partner,
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
        unknown = self.published.programme.data_source.unknown_label
        lines = self.submission.draft.lines
        return [
            (
                new_id(),
                self.member_id,
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
            for number, (line, paid) in enumerate(
                zip(lines, self.paid or (0,) * len(lines), strict=True)
            )
        ]
