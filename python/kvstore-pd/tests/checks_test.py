"""What is found before the start, each with its remedy."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kvstore_pd.launcher import checks, programs, settings
from ports import free_port


class Checked:
    """Settings that nothing speaks against, to be spoiled by a test. Engines are empty packages."""

    def __init__(self, folder: Path, master: str) -> None:
        self.folder = folder
        self.packages = folder / "packages"
        # Without what the tests' own environment has: it would stand in for what is missing.
        self.python = folder / "python"
        self.python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
        self.python.chmod(0o755)
        for name in ("vllm", "lmcache", "mooncake"):
            self.install(name)
        metadata = self.packages / "kvstore_mooncake_compat-1.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text("Metadata-Version: 2.1\nName: kvstore-mooncake-compat\nVersion: 1\n")
        self.model = folder / "model"
        self.model.mkdir()
        (self.model / "config.json").write_text("{}")
        self.settings: dict[str, Any] = {
            "model": str(self.model),
            "python": str(self.python),
            "env": {"PYTHONPATH": str(self.packages)},
            "store": {"master": master},
            "prefillers": [{"port": free_port()}],
            "decoders": [{"port": free_port()}],
            "proxy": {"port": free_port()},
        }

    def install(self, name: str) -> None:
        package = self.packages / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()

    def uninstall(self, name: str) -> None:
        (self.packages / name / "__init__.py").unlink()
        (self.packages / name).rmdir()

    def findings(self) -> list[str]:
        file = self.folder / "kvstore-pd.yaml"
        file.write_text(yaml.safe_dump(self.settings))
        read = settings.read(file)
        return checks.findings(read, programs.all_programs(read))

    def the_finding(self) -> str:
        (found,) = self.findings()
        return found


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Checked]:
    with socket.create_server(("127.0.0.1", 0)) as master:
        yield Checked(tmp_path, f"127.0.0.1:{master.getsockname()[1]}")


def test_nothing_is_found_where_all_is_well(checked: Checked) -> None:
    assert checked.findings() == []


def test_one_port_for_two(checked: Checked) -> None:
    port = checked.settings["prefillers"][0]["port"]
    checked.settings["decoders"][0]["port"] = port
    assert checked.the_finding() == (
        f"decoder-1 and prefiller-1 both have 127.0.0.1:{port}: give one of them another port"
    )


def test_a_port_in_use(checked: Checked) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        checked.settings["proxy"]["port"] = taken.getsockname()[1]
        found = checked.the_finding()
    assert "proxy: " in found and "Address already in use" in found and "ss -ltnp" in found


def test_the_masters_other_port(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "store_program", lambda *_: "/usr/bin/true")
    port = free_port()
    checked.settings["store"] = {
        "start": True,
        "master": f"127.0.0.1:{free_port()}",
        "metrics_port": port,
    }
    checked.settings["proxy"]["port"] = port
    assert f"proxy and master both have 127.0.0.1:{port}" in checked.the_finding()


def test_another_hash_seed_on_one_side(checked: Checked) -> None:
    checked.settings["decoders"][0]["env"] = {"PYTHONHASHSEED": "0"}
    found = checked.the_finding()
    assert "decoder-1: PYTHONHASHSEED is 0 in its env and 123 for others" in found
    assert "set hash_seed" in found


def test_another_chunk_size_on_one_side(checked: Checked) -> None:
    checked.settings["decoders"][0]["lmcache"] = {"chunk_size": 128}
    assert "chunk_size at the top of the file" in checked.the_finding()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("/nowhere/model", "there is no config.json in it here"),
        ("./model", "give the whole path"),
        ("~/model", "give the whole path"),
    ],
)
def test_a_model_that_is_not_there_or_means_another_elsewhere(
    checked: Checked, model: str, words: str
) -> None:
    checked.settings["model"] = model
    assert words in checked.the_finding()


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("--model=x", "model"),
        ("--kv-transfer-config", "kv_transfer"),
        ("--block-size", "block_size"),
    ],
)
def test_an_argument_that_the_file_has_a_setting_for(checked: Checked, word: str, key: str) -> None:
    checked.settings["decoders"][0]["vllm_args"] = [word]
    assert f"is in vllm_args: set {key} in the file instead" in checked.the_finding()


def test_chunks_that_are_no_blocks(checked: Checked) -> None:
    checked.settings.update(block_size=48)
    assert "set chunk_size to 288" in checked.the_finding()


@pytest.mark.parametrize("block", [None, 16])
def test_blocks_on_a_cpu(checked: Checked, block: int | None) -> None:
    checked.settings["decoders"][0]["device"] = "cpu"
    if block:
        checked.settings["block_size"] = block
    assert "set block_size: 32" in checked.the_finding()


def test_a_master_that_is_not_there(checked: Checked) -> None:
    checked.settings["store"]["master"] = f"127.0.0.1:{free_port()}"
    found = checked.the_finding()
    assert "can't be reached (Connection refused)" in found and "set start: true" in found


def test_what_listens_is_no_master(checked: Checked) -> None:
    """Only a client tells, where there is one."""
    checked.install("kvstore")
    (checked.packages / "kvstore" / "__init__.py").write_text(
        "class Client:\n"
        "    def __init__(self, master, connect_timeout):\n"
        "        raise RuntimeError(f'{master} speaks another tongue')\n"
    )
    assert "speaks another tongue" in checked.the_finding()


@pytest.mark.parametrize("name", ["vllm", "lmcache"])
def test_an_engine_that_is_not_installed(checked: Checked, name: str) -> None:
    checked.uninstall(name)
    assert f"{checked.python} has no {name}: " in checked.the_finding()


def test_mooncakes_own_module_in_the_drop_ins_place(checked: Checked) -> None:
    shutil.rmtree(checked.packages / "kvstore_mooncake_compat-1.dist-info")
    found = checked.the_finding()
    assert "has Mooncake's own module" in found and "pip uninstall it" in found
    checked.uninstall("mooncake")
    assert "has no module mooncake: install kvstore and" in checked.the_finding()


def test_the_plugin_is_not_installed(checked: Checked) -> None:
    checked.uninstall("mooncake")
    checked.settings["connector"] = "lmcache-plugin"
    assert "has no kvstore.lmcache: pip install the package kvstore" in checked.the_finding()
    checked.install("kvstore")
    checked.install("kvstore/lmcache")
    (checked.packages / "kvstore" / "__init__.py").write_text(
        "import contextlib\nClient = lambda *_, **__: contextlib.nullcontext()\n"
    )
    assert checked.findings() == []


def test_a_python_that_is_none(checked: Checked) -> None:
    checked.settings["python"] = "/nowhere/python"
    found = checked.the_finding()
    assert "/nowhere/python can't be run" in found and "set python to the engines' own" in found


def test_programs_of_the_store_that_are_not_installed(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "store_program", lambda *_: "")
    monkeypatch.setattr(checks, "store_program", lambda *_: "")
    checked.settings["store"] = {
        "start": True,
        "master": f"127.0.0.1:{free_port()}",
        "metrics_port": free_port(),
    }
    found = checked.findings()
    assert [each.split()[0] for each in found] == ["kvstore_master", "kvstore_node"]
    assert "install the package kvstore there" in found[0]
