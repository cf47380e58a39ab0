"""Jobs of the tests' own."""

import random
from pathlib import Path

import pytest

from etl.db import Connection
from tests.conftest import Etl, runner
from tests.integration.squares import Squares


@pytest.fixture
def squares(tmp_path: Path, etl: Etl, connection: Connection) -> Squares:
    return Squares(tmp_path / "jobs" / "squares", etl, connection)


@pytest.fixture
def offline(environment: dict[str, str]) -> Etl:
    """The program where no database can be reached."""
    return runner({**environment, "ETL_DSN": "host=/nowhere"})


@pytest.fixture
def keys() -> list[int]:
    """Keys with gaps, large and small, on both sides of nought."""
    lot = random.Random(6)  # noqa: S311
    return sorted({lot.randrange(-(10**6), 10**6) for _ in range(900)} | {0, 1, 2**31})
