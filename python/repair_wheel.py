"""Makes a wheel that runs on other machines, out of one that was built here:

    python repair_wheel.py WHEEL FOLDER

auditwheel copies in the libraries that it needs (gRPC, Protobuf, Abseil, glog, ...) under names of
their own, so that they are never taken for those of another package. The loader would still share
one kind of symbol by name among all libraries of a process, whoever loaded them: GNU's unique ones,
such as variables of inline functions. Those of the copies are made ordinary, so that two versions
of a library in one process stay two (docs/decisions/0010-python-package.md).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from elftools.elf.elffile import ELFFile

_UNIQUE = 10  # STB_GNU_UNIQUE
_WEAK = 2  # STB_WEAK: what such symbols are where the linker knows no unique ones


def make_ordinary(library: Path) -> int:
    """Makes a library's unique symbols weak ones; returns how many there were."""
    places = []
    with library.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".dynsym")
        for index in range(symbols.num_symbols()):
            info = symbols.get_symbol(index)["st_info"]
            if info["bind"] in (_UNIQUE, "STB_GNU_UNIQUE", "STB_LOOS"):
                places.append(symbols["sh_offset"] + index * symbols["sh_entsize"] + 4)
    with library.open("r+b") as file:
        for place in places:
            file.seek(place)
            kind = file.read(1)[0] & 0xF
            file.seek(place)
            file.write(bytes([_WEAK << 4 | kind]))
    return len(places)


def repair(wheel: Path, folder: Path) -> Path:
    """Repairs the wheel into the folder; returns the repaired one."""
    with tempfile.TemporaryDirectory() as scratch:
        grafted, unpacked = Path(scratch, "grafted"), Path(scratch, "unpacked")
        _run("auditwheel", "repair", "--wheel-dir", str(grafted), str(wheel))
        (repaired,) = grafted.glob("*.whl")
        _run("wheel", "unpack", "--dest", str(unpacked), str(repaired))
        (tree,) = unpacked.iterdir()
        for library in tree.glob("*.libs/*.so*"):
            make_ordinary(library)
        folder.mkdir(parents=True, exist_ok=True)
        _run("wheel", "pack", "--dest-dir", str(folder), str(tree))
        return folder / repaired.name


def _run(module: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    print(repair(Path(sys.argv[1]), Path(sys.argv[2])))
