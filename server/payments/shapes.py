"""What the verbs of payments answer with."""

import msgspec

from server.clock import Instant
from server.ledger.service import HoldView, Restored


class Payment(msgspec.Struct, frozen=True):
    """A payment: what it cost the member, and what it took off the basket.

    `amount` is in points, or in minor units of cashback or of a voucher; a major unit of `currency`
    has 10**`digits` minor units. The fields are the columns of its row, in their order.
    """

    id: int
    member_id: int  # who asked for it; a voucher's owner
    kind: str  # points, cashback, voucher
    asset: str
    amount: int
    value_minor: int
    currency: str
    digits: int
    restored_amount: int  # of the amount, what was given back
    restored_minor: int  # of the value, what was given back
    voucher_id: int | None
    hold_id: int | None
    purchase_id: int | None
    partner: str  # whose till took it; empty for the operator's staff
    paid_at: Instant
    cancelled_at: Instant | None
    payers: tuple[int, ...] = ()  # whose value it was, where that was asked for

    @property
    def left_minor(self) -> int:
        """What of the value has not been given back."""
        return self.value_minor - self.restored_minor


class Paid(msgspec.Struct, frozen=True):
    """A payment as it was first answered, and what is left of its means afterwards."""

    payment: Payment
    available_after: int  # points or minor units: of the member, their household or the voucher


class Held(msgspec.Struct, frozen=True):
    """A hold as it was first answered: made or released."""

    hold: HoldView
    currency: str
    digits: int
    available_after: int  # points or minor units, of the member or their household


class Cancelled(msgspec.Struct, frozen=True):
    """A cancelled payment as it was first answered, and how its value came back."""

    payment: Payment
    restored: Restored


class PaymentBack(msgspec.Struct, frozen=True):
    """What a return gave back of one payment."""

    payment_id: int
    kind: str  # points, cashback, voucher
    amount: int  # points or minor units
    value_minor: int
    with_grace: int = 0  # of the amount: its own expiry had passed, so it got a new one


class GivenBack(msgspec.Struct, frozen=True):
    """What a return gave back of a purchase's payments."""

    points: Restored = Restored()
    cashback_minor: Restored = Restored()
    voucher_minor: int = 0
    payments: tuple[PaymentBack, ...] = ()
