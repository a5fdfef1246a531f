"""KafkaJS: `conformance.js` beside this file does the work; it needs node and npm."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="there is no node and npm")


@pytest.fixture(scope="session")
def modules():
    """The folder with what package-lock.json pins, installed on demand into the cache."""
    cache = os.environ.get("KLAMM_CLIENTS_CACHE") or Path.home() / ".cache/klamm-clients"
    lock = (HERE / "package-lock.json").read_bytes()
    home = Path(cache) / f"kafkajs-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (home / ".complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, home)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=home, check=True)
        (home / ".complete").touch()
    return home / "node_modules"


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
