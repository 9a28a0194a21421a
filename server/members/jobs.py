"""What the clock triggers of members: sending the letters that a process left behind."""

from server.members import reset_requests
from server.scheduling import Job

JOBS: tuple[Job, ...] = (
    Job(
        "reset_letters",
        "*/5 * * * * *",
        reset_requests.send_waiting,
        reset_requests.waiting_seconds,
        reset_requests.is_waiting,
    ),
)
