"""Start a server on one core, ask it from another, and say what came of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers import SERVERS, WORK, Rows, Server

SERVER_CORE, CLIENT_CORE = "0", 1
PATIENCE = 120.0
TYPES = {"arrow": "application/vnd.apache.arrow.stream"}
ASK = Path(__file__).with_name("ask.lua")


@dataclass(frozen=True)
class Running:
    """A server that answers: its process, its port, and the seconds until its first answer."""

    server: Server
    process: subprocess.Popen[bytes]
    port: int
    ready_s: float

    def ask(self, form: str, rows: Rows) -> Any:
        """Return the answer to one request as it was parsed."""
        url = f"http://127.0.0.1:{self.port}{self.server.path}"
        headers = {"content-type": TYPES.get(form, "application/json")}
        request = urllib.request.Request(url, self.server.bodies[form](rows), headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def memory(self) -> dict[str, float]:
        """Return megabytes of all its processes: resident, and with shared pages counted once.

        `largest_mb` is the process that takes most, counted so.
        """
        pids = [self.process.pid, *descendants(self.process.pid)]
        taken = [mapped(pid) for pid in pids]
        found = {name: sum(each[name] for each in taken) for name in ("Rss", "Pss")}
        largest = max(each["Pss"] for each in taken)
        return {"rss_mb": round(found["Rss"], 1), "pss_mb": round(found["Pss"], 1)} | {
            "largest_mb": round(largest, 1),
            "processes": len(pids),
        }


def mapped(pid: int) -> dict[str, float]:
    """Return megabytes of one process by the names that the system has for them."""
    found = {"Rss": 0.0, "Pss": 0.0}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] = int(value.split()[0]) / 1e3
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def descendants(pid: int) -> list[int]:
    return [p for child in children(pid) for p in (child, *descendants(child))]


@contextmanager
def running(name: str, server: Server, first: Rows, cores: str = SERVER_CORE) -> Iterator[Running]:
    """Start a server on its cores; it is ready when it has answered."""
    port, log = free_port(), WORK / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "BENCH_MODEL": str(WORK / "model")}
    environment |= {"PYTHONPATH": str(SERVERS), "BENTOML_DO_NOT_TRACK": "1"}
    words = [str(word) for word in server.command(port)]
    environment["PATH"] = f"{Path(words[0]).parent}:{os.environ['PATH']}"  # for uvicorn of MLflow
    command = ["taskset", "-c", cores, *words]
    start = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=environment, cwd=SERVERS, start_new_session=True
        )
    found = Running(server, process, port, 0.0)
    try:
        while True:
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                found.ask("rows", first)
                break
            if process.poll() is not None or time.perf_counter() - start > PATIENCE:
                raise RuntimeError(f"{name} did not answer: {log.read_text()[-1500:]}")
            time.sleep(0.01)
        yield Running(server, process, port, round(time.perf_counter() - start, 2))
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def bodies_file(form: str, bodies: Sequence[bytes], name: str) -> Path:
    """Write bodies as `ask.lua` reads them."""
    file = WORK / "bodies" / f"{name}-{form}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(b"%d\n%b" % (len(body), body) for body in bodies))
    return file


def closed(
    target: Running, form: str, file: Path, connections: int, seconds: int
) -> dict[str, Any]:
    """Ask with so many connections, each as soon as it was answered, by wrk."""
    environment = {**os.environ, "ASK_BODIES": str(file), "ASK_PATH": target.server.path}
    environment["ASK_TYPE"] = TYPES.get(form, "application/json")
    words = ["taskset", "-c", str(CLIENT_CORE), "wrk", "-t1", f"-c{connections}"]
    words += [f"-d{seconds}s", "--timeout", "30s", "-s", str(ASK)]
    ran = subprocess.run(
        [*words, f"http://127.0.0.1:{target.port}"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(ran.stdout.strip().splitlines()[-1])
    if found["broken"]:
        raise RuntimeError(f"{found} of {words}")
    answered = found["requests"] - found["failed"]  # what is refused is no answer
    return {**found, "rps": round(answered / found["seconds"], 1)}
