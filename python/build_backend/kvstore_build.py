"""scikit-build-core's backend; source distributions also carry the C++ tree above python/.

A wheel that is built in the repository compiles the tree where it is (cmake.source-dir = ".."); one
that is built from a source distribution, its copy in cxx/.
"""

import shutil
from pathlib import Path

from scikit_build_core import build as _backend
from scikit_build_core.build import (  # noqa: F401  (what a frontend asks for)
    build_editable,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

_PYTHON = Path(__file__).resolve().parent.parent
_COPY = _PYTHON / "cxx"
# What the targets of pyproject.toml are built from, and what CMake reads on the way.
_FILES = ("CMakeLists.txt", "LICENSE", "README.md", "SECURITY.md")
_FOLDERS = ("cmake", "docs", "examples", "include", "packaging", "proto", "src", "tools")
_OWN = ("CMakeLists.txt", "bench", "native")


def build_sdist(sdist_directory, config_settings=None):
    _copy_tree()
    try:
        return _backend.build_sdist(sdist_directory, config_settings)
    finally:
        shutil.rmtree(_COPY)


def _copy_tree():
    tree = _PYTHON.parent
    shutil.rmtree(_COPY, ignore_errors=True)
    (_COPY / "python").mkdir(parents=True)
    skipped = shutil.ignore_patterns("__pycache__")
    for name in _FILES:
        shutil.copy(tree / name, _COPY / name)
    for name in _FOLDERS:
        shutil.copytree(tree / name, _COPY / name, ignore=skipped)
    for name in _OWN:
        source = _PYTHON / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, _COPY / "python" / name)
