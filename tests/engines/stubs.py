"""Stand-ins for the CUDA libraries that PyPI's torch is linked with.

torch for x86-64 comes from PyPI with CUDA only, and Python loads it with all symbols resolved at
once: without these libraries `import torch` fails, although nothing in them is called on a CPU.
Each function here ends the process, so that a call would be noticed.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_LIBRARIES = {
    "libcublas.so.13": "cublas",
    "libcublasLt.so.13": "",
    "libcudnn.so.9": "cudnn",
    "libcufft.so.12": "cufft",
    "libcufile.so.0": "cuFile",
    "libcurand.so.10": "curand",
    "libcusolver.so.12": "cusolver",
    "libcusparse.so.12": "cusparse",
    "libcusparseLt.so.0": "",
    "libnccl.so.2": "nccl",
    "libnvJitLink.so.13": "nvJitLink",
    "libnvrtc.so.13": "nvrtc",
    "libnvshmem_host.so.3": "nvshmem",
}
# The version that its symbols are asked for by.
_VERSIONS = {"libnvshmem_host.so.3": "NVSHMEM"}


def make(folder: Path, site_packages: Path) -> int:
    """Builds the libraries that torch in `site_packages` wants; the number of their functions.
    Raises CalledProcessError where `cc` or `nm` fails, and FileNotFoundError where they are not."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = _undefined(site_packages / "torch" / "lib")
    made = 0
    for library, prefix in _LIBRARIES.items():
        names = sorted(name for name in wanted if prefix and name.startswith(prefix))
        made += len(names)
        source = "void abort(void);\n" + "".join(f"void {n}(void) {{ abort(); }}\n" for n in names)
        (folder / "stub.c").write_text(source)
        flags = [f"-Wl,-soname,{library}"]
        if library in _VERSIONS:
            (folder / "stub.map").write_text(f"{_VERSIONS[library]} {{ global: {prefix}*; }};\n")
            flags.append(f"-Wl,--version-script={folder / 'stub.map'}")
        flags += ["-o", str(folder / library)]
        subprocess.run(["cc", "-shared", "-fPIC", "-w", *flags, folder / "stub.c"], check=True)
    for left in ("stub.c", "stub.map"):
        (folder / left).unlink(missing_ok=True)
    return made


def _undefined(torch: Path) -> set[str]:
    names: set[str] = set()
    for library in torch.glob("lib*.so"):
        listed = subprocess.run(
            ["nm", "-D", "--undefined-only", library], check=True, capture_output=True, text=True
        ).stdout
        names.update(line.split()[-1].partition("@")[0] for line in listed.splitlines())
    return {name for name in names if re.fullmatch(r"[A-Za-z_]\w*", name)}
