"""`assay serve`: a store, a port and workers, put together of parts that know one thing each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from assay.errors import AssayError, UsageError
from assay.kernel.executor import cores
from assay.kernel.plugins import load_predictor
from assay.lifecycle.releasing.deciding import Releasing
from assay.lifecycle.serving.follow import Following
from assay.lifecycle.serving.journal import CHANGED, FAILED, Journal
from assay.lifecycle.serving.servable import load_servable
from assay.lifecycle.serving.settings import Settings
from assay.package.manifest import MANIFEST
from assay.records.base import from_json
from assay.records.deployment import Deployment, Traffic
from assay.records.package import Manifest
from assay.serve.access import FILE, Tokens
from assay.serve.http.limits import Limits
from assay.serve.http.tls import context as tls_context
from assay.serve.log.shelf import LOG
from assay.serve.processes.board import Board
from assay.serve.processes.control import Problem, Service
from assay.serve.processes.sockets import bind, is_loopback, url_of
from assay.serve.processes.supervisor import Supervisor
from assay.serve.processes.worker import Equipment, work
from assay.serve.say import say
from assay.serve.tracing.route import Tracing
from assay.stores.workspace import Workspace, find_workspace


@dataclass(frozen=True)
class Options:
    """How a server is started; `workers` 0 is one for each processor core."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 0
    tls: tuple[Path, Path] | None = None
    log: bool = True
    allow_code: bool = False
    overrides: tuple[str, ...] = ()
    trace: Tracing | None = None


def serve(references: Sequence[str], options: Options, *, store: str | Path | None = None) -> None:
    """Answer with models until a signal says to end; `ready URL` goes to standard error.

    Raises:
        UsageError: no such model, the port is taken, tokens are missing, or files of TLS are wrong.
        Tampered, Refused: a package is not what it was, or needs code that was not allowed.
        SpecError, Mistakes: the project file says something that cannot be.
    """
    workspace = find_workspace(store)
    settings = Settings(options.overrides)
    following = Following(workspace.ledger, settings)
    releasing = Releasing(workspace)
    for event in following.read():
        releasing.take(event)
    named = [following.add(reference) for reference in references]
    if len(set(named)) < len(named):
        raise UsageError(
            "SERVE-TWICE", "a model is named once: one server answers with it once", got=references
        )
    tokens = _tokens(workspace, options.host)
    if options.tls:
        tls_context(*options.tls)
    workers = options.workers or cores()
    _import_engines(workspace, following)
    sockets = bind(options.host, options.port, workers)
    url = url_of(options.host, sockets[0], tls=options.tls is not None)
    board = Board.create(workers)
    kit = Equipment(
        load=partial(load_servable, workspace, allow_code=options.allow_code),
        board=board,
        limits=Limits(body=_largest_body(following)),
        tokens=tokens,
        tls=options.tls,
        log=workspace.folder(LOG) if options.log else None,
        trace=options.trace,
    )
    journal = Journal(workspace.context())
    journal.start(url, workers, following.models)
    server = Server(following, releasing, settings, journal)
    try:
        Supervisor(sockets, partial(work, kit), board, server).run()
    except BaseException as error:
        journal.stop(f"{getattr(error, 'code', type(error).__name__)}: {error}")
        raise
    journal.stop("told to end")


class Server:
    """A `serve.supervisor.Director` that follows the ledger."""

    def __init__(
        self, following: Following, releasing: Releasing, settings: Settings, journal: Journal
    ) -> None:
        self._following, self._settings, self._journal = following, settings, journal
        self._releasing = releasing

    def wanted(self, traffic: Callable[[], Sequence[Traffic]]) -> Sequence[Service]:
        """Return what the ledger says by now."""
        self._journal.beat()
        self._releasing.look(traffic)
        for event in self._following.read():
            self._releasing.take(event)
        return [self._arranged(service) for service in self._following.services()]

    def _arranged(self, service: Service) -> Service:
        """Return a service as a release of its model wants it; a pinned version stays alone."""
        if self._following.is_pinned(service.deployment.model):
            return service
        arranged = self._releasing.arranged(service.deployment)
        return msgspec.structs.replace(service, deployment=arranged)

    def changed(self, service: Service) -> None:
        """Write that all workers answer with this."""
        self._releasing.changed(service.deployment)
        self._write(CHANGED, service.deployment)

    def gone(self, model: str) -> None:
        """Write that nothing answers for this model any more."""
        self._write(CHANGED, Deployment(model=model, arms=()))

    def failed(self, service: Service, problem: Problem) -> None:
        """Write and say that this cannot be loaded."""
        error = problem.raised()
        say(f"{service.deployment.model} stays as it is: {error}")
        self._write(FAILED, service.deployment, error=problem.error)
        try:
            self._releasing.failed(service.deployment, error)
        except AssayError as fault:  # the ledger cannot be written: the server goes on
            say(str(fault))

    def ready(self) -> None:
        """Say where the server is."""
        print(f"ready {self._journal.url}", file=sys.stderr, flush=True)  # noqa: T201

    def asked(self, action: str, reference: str) -> str:
        """Add or take away a model for as long as this server lives."""
        return (self._following.add if action == "load" else self._following.remove)(reference)

    def refresh(self) -> None:
        """Read the project files again."""
        self._settings.again()

    def _write(self, kind: str, deployment: Deployment, **data: Any) -> None:
        known = msgspec.to_builtins(deployment)
        self._journal.note(kind, deployment.model, deployment=known, **data)


def _tokens(workspace: Workspace, host: str) -> Tokens:
    """Return the tokens of the store; a server that others can reach has to have some."""
    tokens = Tokens(workspace.root / FILE, loopback=is_loopback(host))
    access = tokens.access()
    if not access.tokens and not access.open:
        raise UsageError(
            "SERVE-NO-TOKENS",
            "a server that other machines can reach asks for tokens, and there are none",
            where=str(tokens.path),
            got=f"--host {host}",
            allowed=["--host 127.0.0.1"],
            hint="make one with `assay token NAME --scope predict`",
        )
    return tokens


def _import_engines(workspace: Workspace, following: Following) -> None:
    """Import what answers for these models, so that a worker has it when it is forked."""
    for service in following.services():
        for arm in service.deployment.arms:
            manifest = workspace.root / "packages" / arm.package / MANIFEST
            try:
                load_predictor(from_json(manifest.read_bytes(), Manifest).family)
            except (OSError, AssayError):
                continue  # the worker says what is wrong with it


def _largest_body(following: Following) -> int:
    """Return the largest body that any of the models takes."""
    return max((int(service.section.body) for service in following.services()), default=16_000_000)
