"""kvstore-pd at work, with stand-ins for engines."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from launching import Pair, ends, is_alive, pair_in
from ports import free_port


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with pair_in(tmp_path) as made:
        yield made


def test_up_status_down(pair: Pair) -> None:
    up = pair.run("up")
    assert (up.returncode, up.stderr) == (0, "")
    for name in ("prefiller-1", "decoder-1", "proxy"):
        assert f"{name}: ready after" in up.stdout
    port = pair.settings["proxy"]["port"]
    assert f"http://127.0.0.1:{port}/v1/completions" in up.stdout
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
        assert json.load(answer)["status"] == "ok"
    pair.wait_states("ready", "ready", "ready")
    status = pair.run("status")
    assert status.returncode == 0
    assert [line.split()[:2] for line in status.stdout.splitlines()[1:]] == [
        ["prefiller-1", "ready"],
        ["decoder-1", "ready"],
        ["proxy", "ready"],
    ]
    pids = [pair.pid(name) for name in ("prefiller-1", "decoder-1", "proxy")]
    down = pair.run("down")
    assert down.stdout == "proxy: stopped\ndecoder-1: stopped\nprefiller-1: stopped\n"
    assert down.returncode == 0
    assert not any(map(is_alive, pids))
    assert set(pair.states().values()) == {"stopped"}
    assert pair.run("status").returncode == 1


def test_up_again_starts_only_what_is_not_there(pair: Pair) -> None:
    assert pair.run("up").returncode == 0
    kept, gone = pair.pid("prefiller-1"), pair.pid("decoder-1")
    os.kill(gone, signal.SIGKILL)
    assert ends(gone)
    assert pair.states()["decoder-1"] == "dead"
    up = pair.run("up")
    assert up.returncode == 0, up.stderr
    assert "prefiller-1: runs already" in up.stdout
    assert pair.pid("prefiller-1") == kept
    assert pair.pid("decoder-1") != gone
    pair.wait_states("ready", "ready", "ready")


def test_each_part_by_itself(pair: Pair) -> None:
    for what, name in (("prefiller", "prefiller-1"), ("decoder-1", "decoder-1"), ("proxy",) * 2):
        assert f"{name}: ready" in pair.run("up", what).stdout
    assert pair.run("down", "decoder").stdout == "decoder-1: stopped\n"
    pair.wait_states("ready", "stopped", "ready")


def test_what_dies_is_shown_with_its_log_and_the_rest_is_ended(pair: Pair) -> None:
    pair.settings["decoders"] = [pair.stand_in("dies")]
    up = pair.run("up")
    assert up.returncode == 1
    assert "decoder-1 ended before it was ready" in up.stderr
    assert "  out of memory" in up.stderr
    assert "prefiller-1: stopped" in up.stdout
    assert "proxy" not in up.stdout
    assert set(pair.states().values()) == {"stopped"}


def test_what_is_never_ready_is_not_waited_for_for_ever(pair: Pair) -> None:
    pair.settings["decoders"] = [pair.stand_in("never")]
    pair.settings["start_timeout"] = 10
    up = pair.run("up", "decoder")
    assert up.returncode == 1
    assert "decoder-1 was not ready in time (start_timeout)" in up.stderr
    assert "decoder-1: not ready yet, " in up.stdout


def test_an_interrupted_start_leaves_nothing(pair: Pair) -> None:
    pair.settings["decoders"] = [pair.stand_in("never")]
    run = pair.begin("up", "decoder")
    run.wait_line("decoder-1: started")
    pid = pair.pid("decoder-1")
    run.process.send_signal(signal.SIGTERM)
    done = run.done()
    assert done.returncode == 1 and "interrupted" in done.stderr
    assert not is_alive(pid)


def test_a_second_one_does_not_interfere(pair: Pair, tmp_path: Path) -> None:
    pair.settings["decoders"] = [pair.stand_in("slow", str(tmp_path / "go"))]
    run = pair.begin("up", "decoder")
    run.wait_line("decoder-1: started")
    assert pair.states()["decoder-1"] == "starting"
    for verb in ("up", "down"):
        second = pair.run(verb)
        assert second.returncode == 1 and "another kvstore-pd is at work" in second.stderr
    (tmp_path / "go").touch()
    assert run.done().returncode == 0


def test_what_does_not_end_is_killed(pair: Pair) -> None:
    pair.settings["decoders"] = [pair.stand_in("deaf")]
    assert pair.run("up", "decoder").returncode == 0
    pid = pair.pid("decoder-1")
    pair.settings["stop_timeout"] = 0.2
    assert pair.run("down").stdout == "decoder-1: killed\n"
    assert not is_alive(pid)


@pytest.mark.parametrize("killed", [False, True])
def test_children_that_are_left_behind_are_ended(pair: Pair, tmp_path: Path, killed: bool) -> None:
    pair.settings["decoders"] = [pair.stand_in("child", str(tmp_path / "child"))]
    assert pair.run("up", "decoder").returncode == 0
    child = int((tmp_path / "child").read_text())
    if killed:
        os.kill(pair.pid("decoder-1"), signal.SIGKILL)
        assert ends(pair.pid("decoder-1"))
    assert is_alive(child)
    assert pair.run("down").stdout == f"decoder-1: {'gone' if killed else 'stopped'}\n"
    assert ends(child)


def test_the_next_owner_of_a_pid_is_left_alone(pair: Pair) -> None:
    """A pid file that names this very process, begun at another time."""
    assert pair.run("up", "decoder").returncode == 0
    file = pair.folder / ".kvstore-pd" / "decoder-1.pid.json"
    noted = json.loads(file.read_text())
    for changed in ({"pid": os.getpid()}, {"boot": "another"}):
        file.write_text(json.dumps({**noted, **changed}))
        assert pair.states()["decoder-1"] == "dead"
        assert pair.run("down").stdout == "decoder-1: gone\n"
        assert is_alive(noted["pid"])
    file.write_text(json.dumps(noted))
    assert pair.run("down").stdout == "decoder-1: stopped\n"


def test_what_waits_for_puts_is_the_files_to_say_not_the_shells(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVSTORE_AWAIT_PUTS_MS", "7000")
    pair.settings["await_puts_ms"] = 0
    assert pair.run("up", "prefiller").returncode == pair.run("up", "decoder").returncode == 0
    for name in ("prefiller-1", "decoder-1"):
        assert pair.environment(name)["KVSTORE_AWAIT_PUTS_MS"] == "0"


def test_workers_are_asked_for_their_health_directly(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    up = pair.run("up", "decoder")
    assert up.returncode == 0, up.stderr
    pair.wait_states("stopped", "ready", "stopped")


def test_programs_run_in_the_state_folder(pair: Pair) -> None:
    """Not where kvstore-pd was called, from where `python -m` would take any vllm.py."""
    (pair.folder / "kvstore_pd.py").write_text("raise SystemExit('not the one that was meant')")
    up = pair.run("up")
    assert up.returncode == 0, up.stderr
    for name in ("prefiller-1", "decoder-1", "proxy"):
        assert os.readlink(f"/proc/{pair.pid(name)}/cwd") == str(pair.folder / ".kvstore-pd")


def test_engines_are_told_the_same_of_keys_and_their_own_of_the_rest(pair: Pair) -> None:
    pair.settings.update(hash_seed=7, env={"ALL": "1"}, lmcache={"max_local_cpu_size": 5})
    pair.settings["prefillers"][0]["device"] = "0,1"
    pair.settings["decoders"][0].update(device="cpu", env={"OWN": "2"})
    assert pair.run("up").returncode == 0
    p, d = pair.environment("prefiller-1"), pair.environment("decoder-1")
    assert p["PYTHONHASHSEED"] == d["PYTHONHASHSEED"] == "7"
    assert p["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"
    assert (p["CUDA_VISIBLE_DEVICES"], d["CUDA_VISIBLE_DEVICES"]) == ("0,1", "")
    assert (p["KVSTORE_AWAIT_PUTS_MS"], d["KVSTORE_AWAIT_PUTS_MS"]) == ("0", "5000")
    assert (p["ALL"], d["ALL"], d["OWN"], "OWN" in p) == ("1", "1", "2", False)
    master = pair.settings["store"]["master"]
    for env in (p, d):
        told = yaml.safe_load(Path(env["LMCACHE_CONFIG_FILE"]).read_text())
        assert told["remote_url"] == f"mooncakestore://{master}/"
        assert told["extra_config"]["master_server_address"] == master
        assert (told["chunk_size"], told["max_local_cpu_size"]) == (256, 5)
        assert told["extra_config"]["get_blocking_failed_threshold"] == 1000


def test_a_worker_of_another_machine_is_left_to_it(pair: Pair) -> None:
    # An address for documentation (RFC 5737): no machine has it.
    pair.settings["decoders"].append({**pair.stand_in(), "host": "192.0.2.1"})
    pair.settings["insecure_allow_remote"] = True
    with socket.create_server((socket.gethostname(), 0)) as master:
        address = f"{socket.gethostname()}:{master.getsockname()[1]}"
        pair.settings["store"]["master"] = address
        up = pair.run("up")
    assert up.returncode == 0, up.stderr
    assert "decoder-2: 192.0.2.1 is not this machine's" in up.stdout
    assert pair.states()["decoder-2"] == "elsewhere"


def test_its_folder_is_its_owners(pair: Pair) -> None:
    pair.run("up", "decoder")
    assert (pair.folder / ".kvstore-pd").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o702])
def test_a_folder_that_is_open_to_others_is_not_used(pair: Pair, mode: int) -> None:
    state = pair.folder / ".kvstore-pd"
    state.mkdir()
    state.chmod(mode)
    up = pair.run("up", "decoder")
    assert up.returncode == 1
    assert f"chmod 700 {state}" in up.stderr
    assert list(state.iterdir()) == []
    state.chmod(0o700)
    assert pair.run("up", "decoder").returncode == 0


def test_what_the_file_names_no_more_can_be_ended(pair: Pair) -> None:
    second = pair.stand_in()
    pair.settings["decoders"].append(second)
    assert pair.run("up", "decoder").returncode == 0
    pid = pair.pid("decoder-2")
    pair.settings["decoders"].remove(second)
    assert pair.run("down", "decoder-2").stdout == "decoder-2: stopped\n"
    assert not is_alive(pid)
    wrong = pair.run("down", "decodr")
    assert wrong.returncode == 2 and "did you mean decoder?" in wrong.stderr


@pytest.mark.parametrize("slip", ["chunk_sise", None])
def test_with_a_slip_in_the_file_or_without_it_what_runs_can_be_ended(
    pair: Pair, slip: str | None
) -> None:
    assert pair.run("up", "decoder").returncode == 0
    pid = pair.pid("decoder-1")
    if slip:
        pair.settings[slip] = 1
        down = pair.run("down")
    else:
        down = pair.run("down", "--config", str(pair.folder / "moved.yaml"))
    assert (down.returncode, down.stdout) == (0, "decoder-1: stopped\n")
    assert (slip or "moved.yaml") in down.stderr and ".kvstore-pd" in down.stderr
    assert not is_alive(pid)


def test_where_nothing_was_started_a_slip_in_the_file_is_all_there_is(pair: Pair) -> None:
    pair.settings["chunk_sise"] = 1
    down = pair.run("down")
    assert down.returncode == 2 and "did you mean chunk_size?" in down.stderr


def test_nothing_is_started_where_checks_find_something(pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        pair.settings["decoders"][0]["port"] = taken.getsockname()[1]
        up = pair.run("up")
        check = pair.run("check")
    assert (up.returncode, check.returncode) == (1, 1)
    assert "nothing was started" in up.stderr
    assert f"127.0.0.1:{taken_port(pair)} can't be had (Address already in use)" in check.stderr
    assert set(pair.states().values()) == {"stopped"}
    pair.settings["decoders"][0]["port"] = free_port()
    check = pair.run("check")
    assert (check.returncode, check.stderr) == (0, "")
    assert "nothing speaks against starting prefiller-1, decoder-1, proxy" in check.stdout


def taken_port(pair: Pair) -> int:
    port = pair.settings["decoders"][0]["port"]
    assert isinstance(port, int)
    return port


def test_the_store_is_started_first_and_ended_last(pair: Pair) -> None:
    kvstore = pytest.importorskip("kvstore")
    port = free_port()
    pair.settings["store"] = {
        "master": f"127.0.0.1:{port}",
        "start": True,
        "lend": "64MiB",
        "metrics_port": free_port(),
    }
    up = pair.run("up")
    assert up.returncode == 0, up.stderr
    order = [line.split(":")[0] for line in up.stdout.splitlines() if ": ready after" in line]
    assert order[:2] == ["master", "node"] and order[-1] == "proxy"
    with kvstore.Client(f"127.0.0.1:{port}") as client:
        client.put("key", b"value")
    down = pair.run("down")
    assert [line.split(":")[0] for line in down.stdout.splitlines()] == [
        *("proxy", "decoder-1", "prefiller-1", "node", "master")
    ]
    assert down.stdout.count("stopped") == 5


def test_a_missing_program_is_named(pair: Pair) -> None:
    pair.settings["decoders"][0]["command"] = ["/nowhere/vllm"]
    up = pair.run("up", "decoder")
    assert up.returncode == 1
    assert "decoder-1: /nowhere/vllm: No such file" in up.stderr


def test_init_writes_what_can_be_read(pair: Pair, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    assert pair.run("init", "--config", str(file)).returncode == 0
    dry = pair.run("up", "--dry-run", "--config", str(file))
    assert dry.returncode == 0
    assert "vllm.entrypoints.openai.api_server --model /models/" in dry.stdout
    again = pair.run("init", "--config", str(file))
    assert again.returncode == 1 and "is there already" in again.stderr


def test_help_explains_all(pair: Pair) -> None:
    done = pair.run("--help")
    assert done.returncode == 0
    for word in ("init", "check", "status", "down", "exit status", ".kvstore-pd/"):
        assert word in done.stdout
    assert pair.run("upp").returncode == 2
    wrong = pair.run("up", "decodr")
    assert wrong.returncode == 2
    assert "decodr is nothing that kvstore-pd.yaml has; did you mean decoder?" in wrong.stderr
