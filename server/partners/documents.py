"""What is written down about a partner of the coalition."""

from typing import Annotated

from msgspec import Meta, Struct

Name = Annotated[str, Meta(min_length=1, max_length=120, description="The partner's name.")]
Address = Annotated[str, Meta(max_length=500)]
StoreId = Annotated[str, Meta(min_length=1, max_length=64)]


class Partner(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A partner; its key is the `partner` of its API keys."""

    name: Name
    stores: Annotated[
        frozenset[StoreId],
        Meta(max_length=10_000, description="The ids of its stores, as its tills send them."),
    ] = frozenset()
    image_url: Annotated[
        Address | None, Meta(description="Where its logo is; https, at most 500 characters.")
    ] = None
    website: Annotated[
        Address | None, Meta(description="Its website; https, at most 500 characters.")
    ] = None
    is_reimbursed: Annotated[
        bool,
        Meta(
            description="Whether the operator owes it what members pay at its tills with points, "
            "cashback and vouchers."
        ),
    ] = True


class Share(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A partner's part of what a reward costs; what no partner pays, the operator does."""

    partner: Annotated[str, Meta(min_length=1, max_length=64, description="The partner's key.")]
    share_bps: Annotated[
        int, Meta(ge=1, le=10_000, description="Its part in hundredths of a percent.")
    ]
