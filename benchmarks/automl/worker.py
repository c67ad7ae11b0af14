"""Fit and ask one peer; run by that peer's own interpreter, without Assay.

    PYTHON_OF_THE_PEER worker.py fit|ask FRAMEWORK TABLE_FOLDER MODEL_FOLDER --seconds 60

`fit` leaves a model on disk, `ask` loads it in a fresh process, answers the test rows, and times
one row and 10,000 rows. Each writes what it found to `MODEL_FOLDER/fit.json` or `ask.json`; the
answers go to `MODEL_FOLDER/answers.npy`: (n, k) shares of the sorted classes, or (n,) numbers.
"""

from __future__ import annotations

import argparse
import json
import pickle
import statistics
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

CORES = 2
ROWS = 10_000
warnings.simplefilter("ignore")


class AutoGluon:
    """`TabularPredictor` with one of its presets."""

    package = "autogluon.tabular"

    def __init__(self, preset):
        self.preset = preset

    def load_library(self):
        import autogluon.tabular as library

        self.library = library

    def fit(self, train, table, seconds, folder):
        task = {0: "regression", 2: "binary"}.get(len(table["classes"]), "multiclass")
        predictor = self.library.TabularPredictor(
            label=table["target"],
            problem_type=task,
            eval_metric="log_loss" if table["classes"] else "root_mean_squared_error",
            path=str(folder / "model"),
            verbosity=2,
        )
        predictor.fit(train, presets=self.preset, time_limit=seconds, num_cpus=CORES, num_gpus=0)
        return {"models": predictor.model_names(), "best": predictor.model_best}

    def open(self, folder, table):
        predictor = self.library.TabularPredictor.load(str(folder / "model"))
        predictor.persist()
        if not table["classes"]:
            return lambda rows: predictor.predict(rows).to_numpy()
        return lambda rows: predictor.predict_proba(rows)[table["classes"]].to_numpy()

    def smallest(self, folder):
        """Return the bytes of the clone that AutoGluon makes for deployment."""
        predictor = self.library.TabularPredictor.load(str(folder / "model"))
        clone = predictor.clone_for_deployment(path=str(folder / "clone"), dirs_exist_ok=True)
        return size(Path(clone.path if hasattr(clone, "path") else clone))


class Pickled:
    """What the frameworks that are kept as one pickled object share."""

    def open(self, folder, table):
        model, words = pickle.loads((folder / "model" / "model.pkl").read_bytes())

        def answer(rows):
            rows = self.ready(rows, words)
            return model.predict_proba(rows) if table["classes"] else model.predict(rows)

        return answer

    def keep(self, model, words, folder):
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "model.pkl").write_bytes(pickle.dumps((model, words)))

    def ready(self, rows, words):
        """Return rows whose text columns are categories, those that were there in training."""
        return rows.assign(**{n: pd.Categorical(rows[n], categories=w) for n, w in words.items()})

    def smallest(self, folder):
        return size(folder / "model")


class Flaml(Pickled):
    """`flaml.AutoML` with its defaults."""

    package = "flaml"

    def load_library(self):
        import flaml

        self.library = flaml

    def ready(self, rows, _):
        return rows

    def fit(self, train, table, seconds, folder):
        model = self.library.AutoML()
        task = "classification" if table["classes"] else "regression"
        metric = "log_loss" if table["classes"] else "rmse"
        model.fit(
            dataframe=train,
            label=table["target"],
            task=task,
            metric=metric,
            time_budget=seconds,
            n_jobs=CORES,
            seed=0,
            verbose=0,
        )
        self.keep(model, {}, folder)
        return {"best": model.best_estimator}


class Defaults(Pickled):
    """A booster with its defaults; text columns are its own categories."""

    def fit(self, train, table, _, folder):
        answers = train.pop(table["target"])
        texts = train.select_dtypes(exclude=["number", "bool"]).columns
        words = {name: sorted(train[name].dropna().unique()) for name in texts}
        model = self.model(bool(table["classes"]))
        model.fit(self.ready(train, words), answers)
        self.keep(model, words, folder)
        return {}


class LightGBM(Defaults):
    package = "lightgbm"

    def load_library(self):
        import lightgbm

        self.library = lightgbm

    def model(self, classes):
        kind = self.library.LGBMClassifier if classes else self.library.LGBMRegressor
        return kind(n_jobs=CORES, verbose=-1)


class HistGB(Defaults):
    package = "scikit-learn"

    def load_library(self):
        from sklearn import ensemble

        self.library = ensemble

    def model(self, classes):
        kinds = self.library
        kind = (
            kinds.HistGradientBoostingClassifier if classes else kinds.HistGradientBoostingRegressor
        )
        return kind(random_state=0)  # text columns arrive as categories, which it takes as such


FRAMEWORKS = {
    "autogluon-medium": AutoGluon("medium_quality"),
    "autogluon-good": AutoGluon("good_quality"),
    "autogluon-best": AutoGluon("best_quality"),
    "flaml": Flaml(),
    "lightgbm": LightGBM(),
    "histgb": HistGB(),
}


def size(folder):
    """Return the bytes of the files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def fit(peer, source, folder, seconds):
    start = time.perf_counter()
    peer.load_library()
    imported = time.perf_counter()
    table = json.loads((source / "table.json").read_text())
    train = pd.read_parquet(source / "train.parquet")
    read = time.perf_counter()
    found = peer.fit(train, table, seconds, folder)
    return {
        "version": version(peer.package),
        "import_s": round(imported - start, 2),
        "fit_s": round(time.perf_counter() - read, 2),
        "disk_bytes": size(folder / "model"),
        **found,
    }


def ask(peer, source, folder):
    peer.load_library()
    table = json.loads((source / "table.json").read_text())
    test = pd.read_parquet(source / "test.parquet").drop(columns=table["target"])
    answer = peer.open(folder, table)
    np.save(folder / "answers.npy", np.asarray(answer(test), dtype=np.float64))
    many = test.iloc[np.arange(ROWS) % len(test)].reset_index(drop=True)
    one = [many.iloc[[place]] for place in range(100)]
    return {
        "row_ms": typical(lambda place: answer(one[place % len(one)]), repeats=30, seconds=20),
        "rows_10k_ms": typical(lambda _: answer(many), repeats=5, seconds=20),
        "deploy_bytes": peer.smallest(folder),
    }


def typical(call, repeats, seconds):
    """Return the median milliseconds of at most `repeats` calls, fewer when they take long."""
    call(0)
    taken, end = [], time.perf_counter() + seconds
    while len(taken) < repeats and (not taken or time.perf_counter() < end):
        start = time.perf_counter()
        call(len(taken))
        taken.append(1000 * (time.perf_counter() - start))
    return round(statistics.median(taken), 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("fit", "ask"))
    parser.add_argument("framework", choices=sorted(FRAMEWORKS))
    parser.add_argument("table", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    chosen = parser.parse_args()
    peer = FRAMEWORKS[chosen.framework]
    if chosen.step == "fit":
        found = fit(peer, chosen.table, chosen.folder, chosen.seconds)
    else:
        found = ask(peer, chosen.table, chosen.folder)
    (chosen.folder / f"{chosen.step}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
