"""Where the broker is: what is taken for its URL and what is refused, and no secrets told."""

from pathlib import Path

import pytest

from etl.errors import FileError, UsageError
from etl.stream.address import Broker, named_broker
from etl.stream.reasons import words


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "http://geheim@host",
        "amqp://",
        "amqp://host:geheim",
        "amqp://host:0",
        "amqp://user:ge/heim@host",
        "amqp://user:ge#heim@host",
        "amqp://host/?geheim=1",
        "amqp://host/?heartbeat=geheim",
        "amqp://host/?heartbeat=65536",
        "amqp://host/?heartbeat=99999999999999999999",
        "amqp://host/?connection_timeout=-1",
        "amqp://host/?connection_timeout=0",
        "amqp://geheim..host",
        "amqp://user:geheim\udcff@host",
        "amqp://host/?verify=geheim",
        "amqp://host\namqp://other",
    ],
)
def test_what_is_no_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        Broker.parse(url)
    assert "geheim" not in refused.value.message


def test_a_url_says_where_and_as_whom() -> None:
    broker = Broker.parse(" amqps://me:ge%40heim@[::1]/my%2Fown?heartbeat=7&verify=verify_none\n")
    assert (broker.label, broker.has_password) == ("[::1] port 5671, virtual host my/own", True)
    assert "heim" not in repr(broker)
    found = broker.parameters("name")
    assert (found.host, found.port, found.virtual_host) == ("::1", 5671, "my/own")
    assert vars(found.credentials) | {"username": "me", "password": "ge@heim"} == vars(
        found.credentials
    )
    assert found.heartbeat == 7
    assert Broker.parse("amqp://host").label == "host port 5672"


@pytest.mark.parametrize("name", ["%00", "/geheim/is/not/there", "/etc/hostname"])
def test_a_certificate_that_cannot_be_read_is_a_mistake(name: str) -> None:
    with pytest.raises(UsageError, match="a certificate of the broker's URL cannot be used"):
        Broker.parse(f"amqps://host/?cacertfile={name}").parameters("name")


def test_a_file_must_be_this_users_alone_and_hold_something(tmp_path: Path) -> None:
    file = tmp_path / "url"
    known = {"ETL_AMQP_URL_FILE": str(file)}
    for content, mode, told in (
        (None, 0, "No such file"),
        ("amqp://host", 0o640, ""),
        ("amqp://host", 0o604, "others can read"),
        ("amqp://host", 0o620, "others can read or change"),
        (" \n", 0o600, "empty"),
    ):
        if content is not None:
            file.write_text(content)
            file.chmod(mode)
        if not told:
            assert named_broker(None, known).label == "host port 5672"
            continue
        with pytest.raises(FileError, match=told):
            named_broker(None, known)
    with pytest.raises(FileError, match=r"directory|regular"):
        named_broker(None, {"ETL_AMQP_URL_FILE": str(tmp_path)})
    with pytest.raises(UsageError, match="no message broker"):
        named_broker(None, {})


def test_a_reason_is_told_without_its_wrapping() -> None:
    wrapped = RuntimeError("ConnectionClosedByBroker: (530) 'NOT_ALLOWED - vhost x not found'")
    assert words(RuntimeError(wrapped)) == "NOT_ALLOWED - vhost x not found (530)"
    assert words(RuntimeError("a\n b")) == "a b"
