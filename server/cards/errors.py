"""What is refused about cards, and why."""

from server.errors import CardUnusable, InvalidInput, NotFound, Path, phrase


def number_malformed(path: Path) -> InvalidInput:
    """What was entered is not 16 digits."""
    return _number_refused("card.number_malformed", path)


def number_foreign(path: Path) -> InvalidInput:
    """The number has not this house's prefix: it is a bank's, or another programme's."""
    return _number_refused("card.number_foreign", path)


def check_digit_wrong(path: Path) -> InvalidInput:
    """The number was misread or mistyped."""
    return _number_refused("card.check_digit_wrong", path)


def _number_refused(reason: str, path: Path) -> InvalidInput:
    # What was entered may be a bank card's number: it is not repeated in answers and logs.
    return InvalidInput(reason, path=path, accepted=phrase("accepted.card_number"))


def unknown_number(path: Path) -> NotFound:
    """No card has the number."""
    return NotFound("card.not_found", path=path)


def no_card(path: Path = ()) -> NotFound:
    """The member has no card."""
    return NotFound("card.none", path=path)


def unknown_member(path: Path) -> NotFound:
    """No member has the id or the external id."""
    return NotFound("not_found", path=path)


def unusable(status: str, *, is_lost: bool, path: Path = ()) -> CardUnusable:
    """The card is blocked, reported lost, or replaced."""
    reason = "card.lost" if is_lost and status == "blocked" else f"card.{status}"
    return CardUnusable(reason, path=path, status=status)


def member_missing(path: Path) -> InvalidInput:
    """No member is referred to, and the caller is none."""
    return InvalidInput(
        "input.required",
        path=path,
        accepted=phrase("accepted.member_or_oneself"),
    )
