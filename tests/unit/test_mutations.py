"""The mutations of ``make mutants`` can be made: the code that they break is still there."""

from pathlib import Path

import pytest

from tests.mutants.__main__ import REPOSITORY, Mutation, mutations


@pytest.mark.parametrize("mutation", mutations(), ids=lambda mutation: mutation.name)
def test_a_mutation_finds_its_place_once_and_its_tests(mutation: Mutation) -> None:
    text = (REPOSITORY / mutation.file).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1
    assert mutation.new != mutation.old
    files = [Path(name.partition("::")[0]) for name in mutation.tests if name.startswith("tests/")]
    assert files
    for file in files:
        assert (REPOSITORY / file).exists(), file
