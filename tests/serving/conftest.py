"""A store with small models, and the real server in a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from shop import Serving, Shop, Start, launch, train, wait_ready


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

    def start(
        *words: object, shop: Shop = store, ready: bool = True, env: dict[str, str] | None = None
    ) -> Serving:
        words = words or ("churny",)
        serving = launch(shop, *words, env=env)
        started.append(serving)
        if ready:
            wait_ready(serving)
        return serving

    yield start
    for serving in started:
        serving.close()


@pytest.fixture(scope="session")
def served(trained: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Return one running server of churny (version 2) and pricy, with two workers.

    For tests that only ask: they share it, and what it logs.
    """
    folder = tmp_path_factory.mktemp("served") / "shop"
    shutil.copytree(trained.folder, folder)
    serving = launch(Shop(folder), "churny", "pricy", "--workers", "2")
    wait_ready(serving)
    yield serving
    serving.close()
