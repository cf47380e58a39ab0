"""What is said on the command line and in the environment of a service, and cannot be meant so."""

import pytest

from tests.conftest import runner


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (("--json", "health"), {}, "--json before health is not passed on"),
        (("--amqp", "amqp://host", "publish-sample"), {}, "Give it after publish-sample"),
        ((), {"PREFETCH": "65536"}, "PREFETCH 65536 is too many"),
        (("--serve", "[::1"), {}, "cannot listen"),
        (("--serve", "127.0.0.1:65536"), {}, "is no address"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    stream_environment: dict[str, str],
    arguments: tuple[str, ...],
    environment: dict[str, str],
    told: str,
) -> None:
    done = runner({**stream_environment, **environment})("telemetry", *arguments)
    assert (done.status, told in done.err) == (2, True), done.err
    assert "Traceback" not in done.err
