"""KafkaJS: `conformance.js` beside this file does the work; it needs node and npm."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from environment import cached

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="there is no node and npm")


@pytest.fixture(scope="session")
def modules():
    """The folder with what package-lock.json pins, installed on demand into the cache."""

    def install(home):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, home)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=home, check=True)

    return cached("kafkajs", (HERE / "package-lock.json").read_bytes(), install) / "node_modules"


def test_kafkajs(broker, modules, fresh):
    done = subprocess.run(
        ["node", HERE / "conformance.js", broker.bootstrap, fresh("topic"), fresh("group")],
        env={**os.environ, "NODE_PATH": str(modules), "KAFKAJS_NO_PARTITIONER_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == 6
