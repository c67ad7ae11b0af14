"""The pandas pipeline as a runtime of MLServer."""

import os

import joblib
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Adult(MLModel):
    async def load(self) -> bool:
        self.model = joblib.load(os.environ["BENCH_MODEL"] + "/pipeline.joblib")
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        chances = self.model.predict_proba(PandasCodec.decode_request(payload))[:, 1]
        output = NumpyCodec.encode_output("probability", np.ascontiguousarray(chances))
        return InferenceResponse(model_name=self.name, outputs=[output])
