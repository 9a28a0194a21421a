"""The log: one JSON object a line on standard error, without the values of variables."""

import logging
import sys

import structlog
from structlog.typing import EventDict


def without_details(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Leave out the lines in which PostgreSQL tells the values that an error is about."""
    exception = event.get("exception")
    if isinstance(exception, str):
        lines = exception.splitlines()
        event["exception"] = "\n".join(line for line in lines if not line.startswith("DETAIL:"))
    return event


def configure() -> None:
    """Set the log up for the process.

    Tracebacks are plain: pictures of local variables would put passwords and tokens into the log,
    and the details of database errors what identifies members.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            without_details,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
