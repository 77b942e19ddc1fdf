"""The wheel carries what it says, and only shares what it must."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import kvstore

PACKAGE = Path(kvstore.__file__).parent


def test_versions_agree() -> None:
    assert kvstore.__version__ == metadata.version("kvstore")


def test_the_programs_are_console_scripts() -> None:
    for program in ("kvstore_master", "kvstore_node", "kvctl", "kvbench"):
        script = Path(sys.executable).with_name(program)
        done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert kvstore.__version__ in done.stdout


def test_libraries_are_private() -> None:
    """Names that no other package uses, and no symbol that the loader would share by name."""
    libraries = list(PACKAGE.parent.glob("kvstore.libs/*.so*"))
    assert any("grpc" in library.name for library in libraries)
    for library in [*libraries, *PACKAGE.glob("lib/*.so*")]:
        symbols = subprocess.run(
            ["nm", "--dynamic", "--defined-only", library], capture_output=True, text=True
        ).stdout
        unique = [line for line in symbols.splitlines() if " u " in line]
        assert unique == [], library
    mapped = subprocess.run(
        [sys.executable, "-c", "import kvstore; print(open('/proc/self/maps').read())"],
        capture_output=True,
        text=True,
    ).stdout
    shared = {line.split()[-1] for line in mapped.splitlines() if "grpc" in line or "proto" in line}
    assert shared and all("kvstore.libs" in path for path in shared), shared


def test_the_module_exports_nothing_else() -> None:
    (module,) = PACKAGE.glob("_native*.so")
    symbols = subprocess.run(
        ["nm", "--dynamic", "--defined-only", module], capture_output=True, text=True
    ).stdout
    names = {line.split()[-1] for line in symbols.splitlines() if " T " in line}
    assert names == {"PyInit__native"}
