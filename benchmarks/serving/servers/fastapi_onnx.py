"""FastAPI in front of ONNX Runtime: the whole pipeline in one file, a column to an input."""

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, Request

app = FastAPI()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["BENCH_MODEL"] + "/model.onnx", options)
kinds = {i.name: object if i.type == "tensor(string)" else np.float32 for i in session.get_inputs()}


@app.post("/predict")
async def predict(request: Request) -> dict[str, list[float]]:
    rows = (await request.json())["rows"]
    feeds = {
        name: np.array([row[name] for row in rows], dtype=kind).reshape(-1, 1)
        for name, kind in kinds.items()
    }
    return {"predictions": session.run(["probabilities"], feeds)[0][:, 1].tolist()}
