"""Firebase Cloud Messaging on this machine: HTTP v1 and Google's token endpoint, as documented.

    with serving() as fcm:
        pusher = FirebasePusher(fcm.account.write(folder), url=fcm.url)
        fcm.by_token["gone"] = Way.UNREGISTERED
        fcm.script += [Conduct(Way.QUOTA_EXCEEDED, retry_after="7"), Way.RESET_AFTER]
        ...
        fcm.received, fcm.shown("token")

`python -m tests.fcm` is the same as a process of its own, for tests that kill and for measuring.
"""

from tests.fcm.conduct import Conduct, Way
from tests.fcm.credentials import ServiceAccount, service_account
from tests.fcm.fcm import Fcm, Received, TokenWay, busiest
from tests.fcm.running import FcmProcess, ServedFcm, running, serving, until

__all__ = [
    "Conduct",
    "Fcm",
    "FcmProcess",
    "Received",
    "ServedFcm",
    "ServiceAccount",
    "TokenWay",
    "Way",
    "busiest",
    "running",
    "service_account",
    "serving",
    "until",
]
