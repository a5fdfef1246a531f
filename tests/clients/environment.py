"""The virtual environment of a client line: exactly what one file of lines/ pins, made on demand in the cache.

    python3 environment.py lines/LINE.txt [PYTHON VERSION...]     prints the environment's folder

Named versions are tried in order and the first one that this machine has is taken; status 3 says that it has none.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("KLAMM_CLIENTS_CACHE") or Path(base) / "klamm-clients")


def cached(name, pinned, make):
    """The folder `name` of the cache for what the bytes `pinned` name; `make(folder)` fills it, once for all runs."""
    home = cache() / f"{name}-{hashlib.sha256(pinned).hexdigest()[:12]}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{home}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / ".complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            make(home)
            (home / ".complete").touch()
    return home


def version_of(python):
    """What `python -V` says, such as 3.11.7, or None where it does not run (a shim of a version manager)."""
    try:
        done = subprocess.run([python, "-V"], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.split()[-1] if done.returncode == 0 else None


def find_python(versions):
    """An interpreter of one of these versions (such as "3.6"), or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in versions:
        kept = sorted(pyenv.glob(f"{version}.*/bin/python"))
        for python in [f"python{version}", *map(str, kept)]:
            if version_of(python):
                return python
    return None


def environment(requirements, python="python3"):
    requirements = Path(requirements)

    def make(home):
        subprocess.run([python, "-m", "venv", home], check=True, stdout=sys.stderr)
        pip = [home / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
        subprocess.run(pip, check=True, stdout=sys.stderr)

    return cached(f"{requirements.stem}-{version_of(python)}", requirements.read_bytes(), make)


if __name__ == "__main__":
    found = find_python(sys.argv[2:]) if len(sys.argv) > 2 else "python3"
    if found is None:
        sys.exit(3)
    print(environment(sys.argv[1], found))
