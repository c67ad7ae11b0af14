"""A store with small models, watched: rows in its log, or a real server that is asked."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))

from shop import Serving, Shop, Start, launch, train, wait_ready
from watched import Watch, Watching, start_watch


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Return the trained store, which nobody may change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ASSAY_STORE", raising=False)
        return train(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def store(trained: Shop, tmp_path: Path) -> Shop:
    """Return a copy of the trained store, to be changed; project files still lie with the first."""
    shutil.copytree(trained.folder, tmp_path / "shop")
    return Shop(tmp_path / "shop")


@pytest.fixture
def server(store: Shop) -> Iterator[Start]:
    """Return a function that starts `assay serve` on the store and waits until it is ready."""
    started: list[Serving] = []

    def start(*words: object) -> Serving:
        serving = launch(store, *(words or ("churny",)))
        started.append(serving)
        wait_ready(serving)
        return serving

    yield start
    for serving in started:
        serving.close()


@pytest.fixture
def watch(store: Shop) -> Iterator[Watch]:
    """Return a function that starts `assay watch` on the store, and stops it in the end."""
    started: list[Watching] = []

    def start(*words: object, model: str = "churny") -> Watching:
        started.append(start_watch(store, model, *words))
        return started[-1]

    yield start
    for watching in started:
        watching.close()
