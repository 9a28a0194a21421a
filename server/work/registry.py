"""All jobs of all domains, and all who follow what happens."""

from server.audit.jobs import auditing
from server.campaigns import following, reminder_jobs
from server.campaigns import jobs as campaigns
from server.edge.metrics import Metrics
from server.ledger import jobs as ledger
from server.members import jobs as members
from server.notifications import jobs as notifications
from server.notifications import receipts
from server.scheduling import Job
from server.segments import jobs as segments
from server.settings import Settings
from server.webhooks import fanning
from server.webhooks import jobs as webhooks
from server.webhooks import service as webhook_service
from server.work import relay, retention
from server.work.relay import Follower


def followers() -> tuple[Follower, ...]:
    """Who follows what happened, in their order."""
    return (receipts.follow, following.follow, fanning.fan_out)


def all_jobs(settings: Settings, metrics: Metrics) -> tuple[Job, ...]:
    """Every job, each with a name of its own. `metrics` are told of the audit."""
    return (
        *relay.JOBS,
        *notifications.JOBS,
        *webhooks.JOBS,
        *campaigns.JOBS,
        *reminder_jobs.JOBS,
        *segments.JOBS,
        *ledger.JOBS,
        *members.JOBS,
        *auditing(metrics, interval_seconds=settings.audit_interval_seconds),
        *retention.jobs((webhook_service.purge,)),
    )
