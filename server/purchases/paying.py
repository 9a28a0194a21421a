"""The payments that purchases name: found, checked and tied to them, each to one."""

from collections.abc import Iterable

import msgspec

from server.errors import NotFound
from server.payments import service as payments
from server.payments.service import Payment
from server.purchases import rules
from server.purchases.accepted import Accepted


class Paying:
    """The payments of a batch; made by `looked_up`."""

    def __init__(self, found: dict[str, dict[int, Payment]]) -> None:
        self._found = found  # by partner, and then by id
        self._attached: list[tuple[int, int]] = []

    def pay_for(self, purchase: Accepted) -> None:
        """Let the payments that the purchase names take their value off its lines and, unless the
        programme says otherwise, off what it earns on.

        Raises the refusal of the first payment that can't pay for it, or InvalidInput if they pay
        for more than it costs; with the path below the purchase.
        """
        draft = purchase.submission.draft
        if not draft.payment_ids:
            return
        found = self._found.get(purchase.partner, {})
        value_minor = points_minor = 0
        for place, payment_id in enumerate(draft.payment_ids):
            payment = found.get(payment_id)
            path = ("paymentIds", place)
            if payment is None:
                raise NotFound("payment.not_found", path=path)
            payments.check_usable(
                payment,
                member_id=purchase.member_id,
                currency=draft.currency,
                partner=purchase.partner,
                path=path,
            )
            value_minor += payment.value_minor
            points_minor += payment.value_minor if payment.kind == "points" else 0
        if value_minor:
            rules.check_paid(draft, value_minor)
            rules.check_points_share(draft, points_minor, purchase.published.programme)
            purchase.paid = rules.paid_shares(draft.lines, value_minor)
            purchase.amounts = rules.paid_amounts(
                draft, purchase.published.programme, purchase.paid
            )

    def attach(self, purchase: Accepted, purchase_id: int) -> None:
        """Tie the purchase's payments to it: nothing else can be paid with them."""
        for payment_id in purchase.submission.draft.payment_ids:
            self._attached.append((payment_id, purchase_id))
            for found in self._found.values():
                if payment_id in found:  # the operator's own payments are every partner's
                    found[payment_id] = msgspec.structs.replace(
                        found[payment_id], purchase_id=purchase_id
                    )

    async def flush(self) -> None:
        """Write what was tied."""
        if self._attached:
            await payments.attach(self._attached)


async def looked_up(purchases: Iterable[Accepted]) -> Paying:
    """Find the payments that the purchases name; no statement if they name none.

    The ledger accounts of the purchases' members are locked by the caller.
    """
    named: dict[str, set[int]] = {}
    for each in purchases:
        if each.submission.draft.payment_ids:
            named.setdefault(each.partner, set()).update(each.submission.draft.payment_ids)
    return Paying(
        {
            partner: await payments.for_purchase(sorted(ids), partner=partner)
            for partner, ids in sorted(named.items())
        }
    )
