"""What the tests of one client line share. KLAMM_LINE names the line, `run` sets it."""

import os
import sys
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import broker as brokers  # noqa: E402
from client import eventually, load  # noqa: E402

LINE = os.environ.get("KLAMM_LINE", "3.0.12")


def pytest_report_header():
    against = os.environ.get("KLAMM_BOOTSTRAP") or os.environ.get("KLAMM_AGAINST") or brokers.klamm_binary()
    return f"client line {LINE}, against {against}"


def started(request, restartable, **settings):
    broker = brokers.start(restartable, **settings)
    failed_before = request.session.testsfailed
    try:
        yield broker
        said = broker.log.read_text(errors="replace") if broker.log else ""
        assert "panicked" not in said, f"the broker panicked:\n{said[-4000:]}"
        if request.session.testsfailed > failed_before:
            print(f"the broker's log ends with\n{said[-4000:]}", file=sys.stderr)
    finally:
        broker.remove()


@pytest.fixture(scope="session")
def broker(request):
    """One broker for all tests of a session."""
    if bootstrap := os.environ.get("KLAMM_BOOTSTRAP"):
        yield brokers.External(bootstrap)
    else:
        yield from started(request, restartable=False)


@pytest.fixture
def own_broker(request):
    """A broker for one test alone, which may kill it and start it again."""
    if os.environ.get("KLAMM_BOOTSTRAP"):
        pytest.skip("KLAMM_BOOTSTRAP names a broker that is not ours to stop")
    yield from started(request, restartable=True)


@pytest.fixture
def strict_broker(request):
    """A broker for one test alone, where no client creates a topic by naming it."""
    if os.environ.get("KLAMM_BOOTSTRAP"):
        pytest.skip("KLAMM_BOOTSTRAP names a broker that is not ours to configure")
    yield from started(request, restartable=False, **{"auto.create.topics.enable": "false"})


@pytest.fixture
def client(broker):
    made = load(LINE).Client(broker.bootstrap)
    yield made
    made.close()


@pytest.fixture
def fresh():
    """Makes names that no other test has used."""
    return lambda what: f"{what}-{uuid.uuid4().hex[:8]}"


def create(client, name, partitions, **config):
    """Creates a topic and waits until the brokers tell of it."""
    client.create(name, partitions, **config)
    eventually(lambda: client.topics().get(name) == partitions, f"{name} in the metadata")
    return name


@pytest.fixture
def topic(client, fresh):
    """A topic with three partitions."""
    return create(client, fresh("events"), 3)
