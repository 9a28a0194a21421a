"""What the clock triggers of webhooks."""

from server.scheduling import Job
from server.webhooks.claiming import lag_seconds
from server.webhooks.delivering import deliver_due

JOBS: tuple[Job, ...] = (Job("webhooks", "* * * * * *", deliver_due, lag_seconds, is_shared=True),)
