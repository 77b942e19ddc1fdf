"""The environment that the engines run in, made from PyPI once, and what it is made of.

ROOT/venv              vLLM, LMCache, torch (pins.txt)
ROOT/stubs             stand-ins for CUDA's libraries (stubs.py)
ROOT/model             the model (model.py)
ROOT/stores/kvstore    this repository's wheels: kvstore, and the drop-in `mooncake`
ROOT/stores/mooncake   Mooncake's wheel
ROOT/sglang/{code,needs}   SGLang's wheel, unpacked, and what its storage imports (pins-sglang.txt)
ROOT/{log,run,results} of what was run
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import stubs
from running import Failure, say

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
MOONCAKE = "mooncake-transfer-engine-non-cuda==0.3.13.post1"
SGLANG = "sglang==0.5.23"
_PACKAGES = ("python", "python/kvstore-mooncake-compat", "python/kvstore-pd")
_MADE_OF = "commit.txt"  # among kvstore's packages
_DISK_NEEDED = 6 << 30
_MEMORY_NEEDED = 14 << 30


class Environment:
    """Paths below ROOT, and what programs there are started with. Thread-compatible."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venv = root / "venv"
        self.python = self.venv / "bin" / "python"
        self.stubs = root / "stubs"
        self.model = root / "model"
        self.sglang = root / "sglang"

    def store(self, name: str) -> Path:
        """The folder of packages of a store: kvstore or mooncake."""
        return self.root / "stores" / name

    def sglang_packages(self) -> list[Path]:
        return [self.sglang / "code", self.sglang / "needs"]

    def missing(self) -> list[str]:
        """What `setup` has not made yet."""
        stores = [self.store(kind) for kind in ("kvstore", "mooncake")]
        wanted = [self.python, self.stubs, self.model, *stores]
        return [str(path) for path in wanted if not path.exists()]

    def variables(self, packages: Sequence[Path] = ()) -> dict[str, str]:
        """What every program of this environment is started with; these packages go before those of
        the environment."""
        return {
            "LD_LIBRARY_PATH": str(self.stubs),
            "PYTHONPATH": os.pathsep.join(str(folder) for folder in packages),
            "PYTHONHASHSEED": "123",  # equal for all workers: it is part of the keys
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
            "LMCACHE_TRACK_USAGE": "false",
            # Where masters keep what they know.
            "XDG_STATE_HOME": str(self.root / "state"),
        }

    def commit(self) -> str:
        """What is tested, for the report."""
        tests, made_of = _commit(), self.store("kvstore") / _MADE_OF
        packages = made_of.read_text() if made_of.exists() else "unknown"
        return tests if packages == tests else f"{tests}, packages of {packages}"

    def make(self, wheels: Path | None, with_sglang: bool) -> None:
        """Makes what is missing, and this repository's packages in any case: of `wheels`, or built
        anew. Raises Failure."""
        check_machine(self.root)
        self.root.mkdir(parents=True, exist_ok=True)
        self._make_venv()
        self._make_stubs_and_model()
        self._make_mooncake()
        self.make_kvstore(wheels)
        if with_sglang:
            self._make_sglang()

    def make_kvstore(self, wheels: Path | None) -> None:
        """Installs this repository's packages anew."""
        built = wheels is None
        if wheels is None:
            wheels = self.root / "wheels"
            say("building this repository's wheels (some minutes, the first time)")
            shutil.rmtree(wheels, ignore_errors=True)
            into = ("--no-deps", "--wheel-dir", str(wheels))
            # Beside other builds, where the compiler cache knows the work; kept for the next time.
            kept = f"build-dir={REPOSITORY / 'build' / 'engines-wheel'}"
            for package in _PACKAGES:
                settings = ("--config-settings", kept) if package == "python" else ()
                self._pip("wheel", *into, *settings, str(REPOSITORY / package))
        found = sorted(wheels.glob("kvstore*.whl"))
        if not found:
            raise Failure(f"no wheel of kvstore is in {wheels}")
        self._install_anew(self.store("kvstore"), [str(wheel) for wheel in found])
        made_of = _commit() if built else "unknown"
        (self.store("kvstore") / _MADE_OF).write_text(made_of)

    def _make_venv(self) -> None:
        made = self.venv / "pins.txt"
        pins = (HERE / "pins.txt").read_text()
        if self.venv.is_symlink() or (made.exists() and made.read_text() == pins):
            return
        say("installing vLLM, LMCache and torch: 1 GB to fetch, 3 GB on disk, about two minutes")
        shutil.rmtree(self.venv, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(self.venv)])
        self._pip("install", "--no-deps", "--requirement", str(HERE / "pins.txt"))
        made.write_text(pins)

    def _make_stubs_and_model(self) -> None:
        if not self.stubs.exists():
            site = next((self.venv / "lib").glob("python3.*")) / "site-packages"
            made = stubs.make(self.stubs, site)
            say(f"stand-ins for CUDA's libraries: {made} functions, of which none is ever called")
        if not self.model.exists():
            say("making the model")
            _run([str(self.python), str(HERE / "model.py"), str(self.model)], self.variables())

    def _make_mooncake(self) -> None:
        if not self.store("mooncake").exists():
            say("installing Mooncake's wheel beside ours")
            self._install_anew(self.store("mooncake"), [MOONCAKE])

    def _make_sglang(self) -> None:
        if (self.sglang / "needs").exists():
            return
        say("unpacking SGLang, and installing what its storage imports (0.8 GB)")
        shutil.rmtree(self.sglang, ignore_errors=True)
        self._pip("download", "--no-deps", "--dest", str(self.sglang), SGLANG)
        for wheel in self.sglang.glob("sglang-*.whl"):
            zipfile.ZipFile(wheel).extractall(self.sglang / "code")
            wheel.unlink()
        partial = self.sglang / "needs.part"
        pins = str(HERE / "pins-sglang.txt")
        self._pip("install", "--no-deps", "--target", str(partial), "--requirement", pins)
        partial.rename(self.sglang / "needs")

    def _install_anew(self, target: Path, what: Sequence[str]) -> None:
        partial = target.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        self._pip("install", "--no-deps", "--target", str(partial), *what)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)

    def _pip(self, *words: str) -> None:
        verb, *rest = words
        _run([str(self.python), "-m", "pip", "--disable-pip-version-check", verb, "--quiet", *rest])


def _commit() -> str:
    """Of this checkout."""
    done = subprocess.run(
        ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=10"],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or "no commit"


def check_machine(root: Path) -> None:
    """Raises Failure, with what to do, where this machine can't run the engines."""
    if sys.version_info[:2] != (3, 11):
        raise Failure(
            f"this is Python {sys.version_info[0]}.{sys.version_info[1]}; the pins are for 3.11 "
            f"(Debian 12): start this with python3.11"
        )
    for tool, package in (("cc", "gcc"), ("nm", "binutils")):
        if shutil.which(tool) is None:
            raise Failure(f"{tool} is not there: apt install {package}")
    if not any(Path(p).exists() for p in _places("libnuma.so.1")):
        raise Failure("libnuma.so.1 is not there: apt install libnuma1")
    there = root if root.exists() else root.parent
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < _DISK_NEEDED and not (root / "venv").exists():
        raise Failure(f"{there}: {free >> 30} GiB are free, {_DISK_NEEDED >> 30} GiB are needed")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory < _MEMORY_NEEDED:
        raise Failure(f"{memory >> 30} GiB of memory; engines need {_MEMORY_NEEDED >> 30} GiB")


def _places(library: str) -> list[str]:
    folders = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64")
    return [f"{folder}/{library}" for folder in folders]


def _run(command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout[-3000:]}")
