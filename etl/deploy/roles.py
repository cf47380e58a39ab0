"""Acting as the one role that owns what ``etl init`` makes, and making the three roles.

Without the roles everything belongs to whoever ran ``etl init`` first, as with any SQL
script. With them it belongs to etl_owner, whichever of its members runs the command: a
procedure made by one person can be replaced by another. Changes of role last until the
end of a transaction, so a connection is never left as somebody else.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from etl import db
from etl.errors import PrivilegeError
from etl.folders import sql_folder
from etl.sqlfile import shipped, single

_LOCK_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Standing:
    """Who owns what ``etl init`` makes in a database, and what this login may do about it.

    Attributes:
        owner: Owner of schema etl; where there is none yet, who will be.
        has_schema: Whether there is one.
        is_current: Whether this connection acts as the owner anyway.
        may_become: Whether this login may act as the owner.
        may_create: Whether the owner may create schemas in this database.
        missing: Those of the three roles that do not exist.
        is_read_only: Whether nothing can be written here.
        login: Role that has logged in.
        dbname: The database.
    """

    owner: str
    has_schema: bool
    is_current: bool
    may_become: bool
    may_create: bool
    missing: list[str]
    is_read_only: bool
    login: str
    dbname: str

    @property
    def may_act(self) -> bool:
        """Whether this login is the owner or may act as it."""
        return self.is_current or self.may_become


def standing(connection: db.Connection) -> Standing:
    """How things stand in the database of this connection; only reads."""
    return Standing(*db.one(connection, shipped("deploy/deploy_standing")))


def create(connection: db.Connection) -> list[str]:
    """Make the roles that do not exist yet, and give them their rights on this database.

    Returns:
        Those that did not exist.

    Raises:
        FileError: This login may not; then nothing was done.
    """
    missing: list[str] = []
    with _locked(connection):
        missing = standing(connection).missing
        db.run(connection, single(sql_folder() / "roles" / "create_roles.sql"))
    return missing


@contextmanager
def as_owner(connection: db.Connection) -> Generator[None]:
    """One transaction as the owner; no other process deploys to this database meanwhile.

    Raises:
        PrivilegeError: This login may not act as the owner, or the owner may not begin here.
    """
    with _locked(connection):
        here = standing(connection)
        if not here.may_act:
            raise PrivilegeError(
                f"schema etl belongs to {here.owner}; {here.login} is no member of it",
                f"Connect as a member of {here.owner}.",
            )
        if not here.has_schema and not here.may_create:
            raise PrivilegeError(
                f"{here.owner} may not create schemas in database {here.dbname}",
                "The owner of the database can allow it: 'etl init --with-roles'.",
            )
        if not here.is_current:
            db.run(connection, shipped("deploy/act_as"), role=here.owner)
        yield


@contextmanager
def _locked(connection: db.Connection) -> Generator[None]:
    """One transaction under the lock that makes deploying safe from any number of processes."""
    is_held = False
    while not is_held:
        with connection.transaction():
            is_held = db.one(connection, shipped("deploy/try_deploy_lock")) == (True,)
            if is_held:
                yield
        if not is_held:
            time.sleep(_LOCK_POLL_S)
