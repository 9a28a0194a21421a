"""The log: one JSON object a line on standard error, without the values of variables."""

import logging
import sys

import structlog


def configure() -> None:
    """Set the log up for the process.

    Tracebacks are plain: pictures of local variables would put passwords and tokens into the log.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
