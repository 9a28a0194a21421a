"""Where a member's code leads to: the page of the operator's app that takes it."""

_template: str | None = None


def use(template: str | None) -> None:
    """From now on links are made of this address, which has {code} in it; None: there are none."""
    global _template  # noqa: PLW0603 - one process serves one operator
    _template = template


def link_of(code: str) -> str | None:
    """The link that carries the code; None without an address."""
    return None if _template is None else _template.replace("{code}", code)
