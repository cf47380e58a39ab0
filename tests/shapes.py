"""The documented shapes of what commands print as JSON."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.starter import REPOSITORY


def _validator(shape: str) -> Draft202012Validator:
    schema = json.loads((REPOSITORY / "docs" / "json" / f"{shape}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def shaped(shape: str, text: str) -> Any:
    """What this JSON holds, which must have its documented shape."""
    value = json.loads(text)
    _validator(shape).validate(value)
    return value


def assert_exact(shape: str, told: dict[str, Any]) -> None:
    """It has its documented shape, which takes nothing more and nothing less."""
    validator = _validator(shape)
    validator.validate(told)
    assert not validator.is_valid({**told, "more": 1})
    for key in told:
        assert not validator.is_valid({name: told[name] for name in told if name != key}), key
