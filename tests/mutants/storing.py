"""Bugs in what keeps writes whole, ordered, and done once."""

from tests.mutants.mutant import Mutant

_INITIAL = "server/storage/migrations/0001_initial.py"
_CONSTRAINTS = "tests/storage/test_constraints.py"

STORING: tuple[Mutant, ...] = (
    Mutant(
        name="accounts-not-locked",
        what="on PostgreSQL writers read accounts and holds without locking their rows",
        file="server/ledger/queries.py",
        original='return " FOR UPDATE" if sql.engine() == "postgres" else ""',
        bug='return ""',
        tests=(
            "tests/ledger/test_locking.py"
            "::test_who_waits_reads_what_the_other_has_left_and_needs_no_second_attempt[postgres]",
        ),
    ),
    Mutant(
        name="accounts-locked-in-any-order",
        what="two writers lock the accounts of the same members in different orders",
        file="server/ledger/queries.py",
        original="ORDER BY id{_lock()}",
        bug="ORDER BY random(){_lock()}",
        tests=(
            "tests/ledger/test_locking.py"
            "::test_who_waits_for_the_first_account_has_locked_no_other[postgres]",
        ),
    ),
    Mutant(
        name="sqlite-begins-deferred",
        what="a transaction on SQLite takes the write lock when it writes, not when it starts",
        file="server/storage/sqlite.py",
        original='execute("BEGIN IMMEDIATE")',
        bug='execute("BEGIN DEFERRED")',
        tests=("tests/storage/test_sqlite.py::test_reading_and_then_writing_never_loses_a_race",),
    ),
    Mutant(
        name="sqlite-commits-unsynced",
        what="a commit on SQLite is answered before it is on the disk",
        file="server/storage/sqlite.py",
        original='"synchronous", "FULL"',
        bug='"synchronous", "NORMAL"',
        tests=(
            "tests/faults/test_power_loss.py::test_an_acknowledged_mutation_survives[redeemPoints]",
        ),
    ),
    Mutant(
        name="sqlite-readers-write",
        what="the reading connections to SQLite may write, beside the only writer",
        file="server/storage/sqlite.py",
        original="PRAGMA query_only=ON",
        bug="PRAGMA query_only=OFF",
        tests=("tests/storage/test_sqlite.py::test_readers_only_read",),
    ),
    Mutant(
        name="postings-deleted-on-sqlite",
        what="the migration forgets the trigger that refuses to delete postings on SQLite",
        file="server/storage/operations.py",
        original="CREATE TRIGGER {table}_refuse_delete BEFORE DELETE ON {table}\n"
        "BEGIN SELECT RAISE(ABORT, '{message}'); END;\n",
        bug="",
        tests=(f"{_CONSTRAINTS}::test_a_posting_stays_as_it_is",),
    ),
    Mutant(
        name="postings-deleted-on-postgres",
        what="the trigger that refuses to change postings on PostgreSQL lets them be deleted",
        file="server/storage/operations.py",
        original="BEFORE UPDATE OR DELETE OR TRUNCATE ON",
        bug="BEFORE UPDATE OR TRUNCATE ON",
        tests=(f"{_CONSTRAINTS}::test_a_posting_stays_as_it_is",),
    ),
    Mutant(
        name="idempotency-keys-not-unique",
        what="the migration forgets that a caller's key is there once",
        file=_INITIAL,
        original='"unique_together": (("scope", "key"),),',
        bug="",
        tests=(f"{_CONSTRAINTS}::test_the_database_itself_refuses_a_second_one",),
    ),
    Mutant(
        name="purchases-not-unique",
        what="the migration forgets that a partner's id of a purchase is there once",
        file=_INITIAL,
        original='"table": "purchases",\n                "app": "laurel",\n'
        '                "unique_together": (("partner", "external_id"),),',
        bug='"table": "purchases",\n                "app": "laurel",',
        tests=(
            "tests/purchases/test_recorded_once.py"
            "::test_a_known_members_purchase_sent_twice_at_once_is_recorded_once[postgres]",
        ),
    ),
    Mutant(
        name="returns-not-unique",
        what="the migration forgets that a partner's id of a return is there once",
        file=_INITIAL,
        original='"table": "purchase_returns",\n                "app": "laurel",\n'
        '                "unique_together": (("partner", "external_id"),),',
        bug='"table": "purchase_returns",\n                "app": "laurel",',
        tests=(f"{_CONSTRAINTS}::test_the_database_itself_refuses_a_second_one",),
    ),
    Mutant(
        name="lost-race-not-tried-again",
        what="a writer who loses a race to another fails at once",
        file="server/storage/sql.py",
        original="MAXIMUM_ATTEMPTS = 3",
        bug="MAXIMUM_ATTEMPTS = 1",
        tests=("tests/storage/test_sql.py::test_a_lost_race_is_tried_again[postgres]",),
    ),
    Mutant(
        name="deadlock-not-tried-again",
        what="a writer whom PostgreSQL ends because of a deadlock fails at once",
        file="server/storage/sql.py",
        original="except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):",
        bug="except asyncpg.SerializationError:",
        tests=(
            "tests/storage/test_deadlocks.py"
            "::test_who_is_ended_because_of_a_deadlock_tries_again[postgres]",
        ),
    ),
    Mutant(
        name="answer-stored-after-the-commit",
        what="the answer to a key is stored in a transaction of its own, after that of the write",
        file="server/edge/idempotency.py",
        original="            await sql.execute(_ANSWER, msgspec.json.encode(answer).decode(),"
        " record_id)\n            return answer\n",
        bug="        async with sql.transaction():\n"
        "            await sql.execute(_ANSWER, msgspec.json.encode(answer).decode(), record_id)\n"
        "        return answer\n",
        tests=(
            "tests/faults/test_crash_sweep.py"
            "::test_a_mutation_killed_anywhere_is_done_or_not_and_can_be_repeated"
            "[sqlite-redeemPoints]",
        ),
    ),
    Mutant(
        name="content-not-compared",
        what="a key that comes with other content gets the first answer, not a conflict",
        file="server/edge/idempotency.py",
        original="if row[0] != content:",
        bug="if not row[0]:",
        tests=("tests/edge/test_idempotency.py::test_other_content_under_the_key_conflicts",),
    ),
    Mutant(
        name="keys-shared-by-callers",
        what="one caller's key is another's too, and so is the answer",
        file="server/edge/mutation.py",
        original='scope=f"{caller}/{info.field_name}"',
        bug="scope=info.field_name",
        tests=("tests/edge/test_idempotency.py::test_keys_belong_to_a_caller_and_a_mutation",),
    ),
    Mutant(
        name="purchase-content-not-compared",
        what="a till that uses an id for another purchase is answered as for the first",
        file="server/purchases/recording.py",
        original="if row[2] == self._hashes[position]",
        bug="if row[2]",
        tests=(
            "tests/purchases/test_service.py"
            "::test_an_external_id_with_other_content_is_refused_and_changes_nothing",
        ),
    ),
    Mutant(
        name="return-content-not-compared",
        what="a till that uses an id for another return is answered as for the first",
        file="server/purchases/returning.py",
        original="if row[0] != content_hash:",
        bug="if not row[0]:",
        tests=(
            "tests/purchases/test_returns.py"
            "::test_the_same_return_again_is_answered_as_the_first_time",
        ),
    ),
)
