"""What loaders and people do to a user while it is refreshed.

In the statements ``{user}`` is the user refreshed, ``{other}`` another one, ``{note}`` the
number of a note that is not known yet; ``{note} - 2`` is one that the user has opened.
"""

from dataclasses import dataclass

INSERT = (
    "INSERT INTO dwh.facts (action, note_id, action_at, action_dimension_id_user,"
    " opened_dimension_id_user, dimension_id_country)"
    " VALUES ('opened', {note}, '2026-01-12 10:00', {user}, {user}, 1)"
)
CLOSING = (
    "INSERT INTO dwh.facts (action, note_id, action_at, action_dimension_id_user,"
    " opened_dimension_id_user, dimension_id_country, days_to_resolution)"
    " VALUES ('closed', {note} - 2, '2026-01-13 10:00', {other}, {user}, 1, 2)"
)
MARK = "UPDATE dwh.dimension_users SET modified = TRUE WHERE dimension_user_id = {user}"
SELECT_USER = "SELECT FROM dwh.dimension_users WHERE dimension_user_id = {user} FOR "
UNTRIGGERED = f"SET LOCAL session_replication_role = replica; {INSERT};"
TRIGGERED = "SET LOCAL session_replication_role = origin;"


@dataclass(frozen=True)
class Step:
    """Statements sent at once.

    Attributes:
        locks: It takes the lock of the user's row that a writer takes.
        releases: It gives that lock back without ending the transaction.
        ends: It ends the transaction.
    """

    name: str
    statements: str
    locks: bool = False
    releases: bool = False
    ends: bool = False


@dataclass(frozen=True)
class Program:
    """What one rival does. ``changes``: what it commits leaves the user dirty."""

    name: str
    steps: tuple[Step, ...]
    changes: bool


def _program(name: str, *steps: Step, changes: bool = True) -> Program:
    begun = Step(steps[0].name, f"BEGIN; {steps[0].statements}", steps[0].locks, steps[0].releases)
    return Program(name, (begun, *steps[1:]), changes)


_COMMIT = Step("commit", "COMMIT", ends=True)
_ROLLBACK = Step("roll back", "ROLLBACK", ends=True)
_INSERT = Step("insert", INSERT, locks=True)
_MARK = Step("mark", MARK, locks=True)

INSERTS = _program("inserts", _INSERT, _COMMIT)
INSERTS_ROLLED_BACK = _program("inserts, rolled back", _INSERT, _ROLLBACK, changes=False)
MARKS = _program("marks", _MARK, _COMMIT)
MARKS_ROLLED_BACK = _program("marks, rolled back", _MARK, _ROLLBACK, changes=False)
CLOSES = _program("closes a note", Step("close", CLOSING, locks=True), _COMMIT)
DELETES = _program(
    "deletes a fact",
    Step("delete", "DELETE FROM dwh.facts WHERE note_id = {note} - 2", locks=True),
    _COMMIT,
)
MERGES = Program(
    "merges notes",
    (
        Step(
            "stage",
            "BEGIN; CALL dwh.stage_notes(); INSERT INTO staged_notes"
            " SELECT {note}, 'Colombia', '2026-01-12', '2026-01-13', u.username, o.username, NULL"
            " FROM dwh.dimension_users AS u, dwh.dimension_users AS o"
            " WHERE u.dimension_user_id = {user} AND o.dimension_user_id = {other}",
        ),
        Step("merge", "CALL dwh.merge_notes(NULL, NULL, NULL, NULL, NULL, NULL)", locks=True),
        _COMMIT,
    ),
    changes=True,
)

ALL = (
    INSERTS,
    INSERTS_ROLLED_BACK,
    MARKS,
    MARKS_ROLLED_BACK,
    CLOSES,
    DELETES,
    MERGES,
    Program(
        "inserts in one statement", (Step("insert", INSERT, locks=True, ends=True),), changes=True
    ),
    _program(
        "inserts without the trigger, then marks",
        Step("insert", UNTRIGGERED),
        Step("mark", f"{TRIGGERED} {MARK}", locks=True),
        _COMMIT,
    ),
    _program(
        "marks, then inserts without the trigger", _MARK, Step("insert", UNTRIGGERED), _COMMIT
    ),
    _program("marks twice", Step("mark", f"{MARK}; {MARK}", locks=True), _COMMIT),
    _program(
        "marks in a savepoint that is released, then inserts without the trigger",
        Step("mark", f"SAVEPOINT s; {MARK}; RELEASE s", locks=True),
        Step("insert", UNTRIGGERED),
        _COMMIT,
    ),
    _program(
        "marks, then marks in a savepoint that is rolled back",
        _MARK,
        Step("mark", f"SAVEPOINT s; {MARK}; ROLLBACK TO s"),
        _COMMIT,
    ),
    _program(
        "inserts in a savepoint that is rolled back",
        Step("insert", f"SAVEPOINT s; {INSERT}", locks=True),
        Step("roll back to", "ROLLBACK TO s", releases=True),
        _COMMIT,
        changes=False,
    ),
    _program(
        "inserts as one snapshot",
        Step("insert", f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; {INSERT}", locks=True),
        _COMMIT,
    ),
    _program(
        "locks the row and leaves it",
        Step("lock", SELECT_USER + "UPDATE", locks=True),
        _COMMIT,
        changes=False,
    ),
    _program(
        "locks the row for reading", Step("lock", SELECT_USER + "SHARE", locks=True), _COMMIT,
        changes=False,
    ),
    _program(
        "keeps the row's key, as a foreign key does", Step("lock", SELECT_USER + "KEY SHARE"),
        _COMMIT, changes=False,
    ),
    _program(
        "keeps the row's key, then marks", Step("lock", SELECT_USER + "KEY SHARE"), _MARK, _COMMIT
    ),
)  # fmt: skip
