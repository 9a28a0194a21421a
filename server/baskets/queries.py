"""What baskets read of tables of other domains, beside what those tell by their verbs."""

from server.clock import Instant
from server.storage.exchange import Asked

_PROFILE = """
    SELECT m.external_id, m.name, m.birthday, m.enrolled_at,
        (SELECT MAX(p.occurred_at) FROM purchases p
            WHERE p.member_id = m.id AND p.occurred_at < $2),
        COALESCE((SELECT v.version FROM versions v WHERE v.id = m.id), 0)
    FROM members m WHERE m.id = $1
"""


def profile_asked(member_id: int, *, before: Instant) -> Asked:
    """Asks for (external id, name, birthday, enrolled at, last purchase before the instant,
    version) of the member."""
    return _PROFILE, (member_id, before)
