"""The pandas pipeline as a BentoML service of one worker."""

import os

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=1, traffic={"timeout": 60}, metrics={"enabled": False})
class Adult:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["BENCH_MODEL"] + "/pipeline.joblib")

    @bentoml.api
    def predict(self, rows: list[dict]) -> list[float]:
        return self.model.predict_proba(pd.DataFrame(rows))[:, 1].tolist()
