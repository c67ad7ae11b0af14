"""FastAPI in front of the pandas pipeline, as most people write it."""

import os

import joblib
import pandas as pd
from fastapi import FastAPI, Request

app = FastAPI()
model = joblib.load(os.environ["BENCH_MODEL"] + "/pipeline.joblib")


@app.post("/predict")
async def predict(request: Request) -> dict[str, list[float]]:
    rows = (await request.json())["rows"]
    return {"predictions": model.predict_proba(pd.DataFrame(rows))[:, 1].tolist()}
