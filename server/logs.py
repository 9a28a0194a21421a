"""The log: one JSON object a line on standard error, without what identifies or admits anybody.

What is logged on purpose names no member, token or address. What libraries and tracebacks say is
not on purpose: it passes through `without_secrets`.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict

from server import clock
from server.edge.telling import Plain, tell_by

_encode = json.JSONEncoder().encode  # as the other lines are written

REMOVED = "[removed]"

_SECRETS = re.compile(
    r"""
      eyJ[\w-]+(?:\.[\w-]*){1,4}                  # JSON web tokens, whole or cut off
    | laurel_[A-Za-z0-9_-]{8,}                    # API keys
    | (?i:bearer)\s+[^\s'",;]+                    # whatever an Authorization header held
    | [\w.+%'-]+@[\w-]+(?:\.[\w-]+)*              # e-mail addresses
    | (?<![\w-])[A-Za-z0-9_-]{40,}(?![\w-])       # refresh tokens, codes, hashes
    | (?<!\d)90(?:[\ -]?\d){14}(?!\d)             # card numbers, as they are printed too
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)             # passwords in addresses of servers
    | \+\d[\d\ ()-]{6,}\d                         # telephone numbers
    """,
    re.VERBOSE,
)


def scrubbed(text: str) -> str:
    """The text without anything that looks like a token, key, e-mail address or card number."""
    return _SECRETS.sub(REMOVED, text)


_WITHOUT_TEXT = frozenset({Plain, bool, int, float})


def without_secrets(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Scrub every text of the event, however deep it lies."""
    return {name: _scrubbed(value) for name, value in event.items()}


def _scrubbed(value: Any) -> Any:
    if value is None or type(value) in _WITHOUT_TEXT:
        return value
    if isinstance(value, str):
        return scrubbed(value)
    if isinstance(value, Mapping):
        return {name: _scrubbed(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_scrubbed(one) for one in value]
    if isinstance(value, bool | int | float):
        return value
    return scrubbed(str(value))


def without_details(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Leave out the lines in which PostgreSQL tells the values that an error is about."""
    exception = event.get("exception")
    if isinstance(exception, str):
        lines = exception.splitlines()
        event["exception"] = "\n".join(line for line in lines if not line.startswith("DETAIL:"))
    return event


_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    without_details,
    without_secrets,
)


def tell_operation(facts: dict[str, Any]) -> None:
    """Log an operation: for each one a line, so that it has a way of its own, six times as fast.

    All texts of `facts` that are not `Plain` are scrubbed.
    """
    line = {name: _scrubbed(fact) for name, fact in facts.items()}
    line["event"], line["level"] = "operation", "info"
    line["timestamp"] = _now()
    stream = sys.stderr.buffer
    stream.write(_encode(line).encode() + b"\n")
    stream.flush()


def _now() -> str:
    return clock.datetime_of(clock.system_now()).isoformat().replace("+00:00", "Z")


def configure(*, with_operations: bool = True) -> None:
    """Set the log up for the process, that of the libraries included; a line for each operation
    only `with_operations`.

    Tracebacks are plain: pictures of local variables would put passwords and tokens into the log,
    and the details of database errors what identifies members.
    """
    tell_by(tell_operation if with_operations else None)
    structlog.configure(
        processors=[*_SHARED, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.INFO if with_operations else logging.WARNING
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=()), *_SHARED],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
