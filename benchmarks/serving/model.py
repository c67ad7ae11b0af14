"""Fit the pipeline that every peer serves; runs in the environment of FastAPI.

    python model.py adult.csv FOLDER

A hundred LightGBM trees of 31 leaves on 14 columns, 8 of them words. Writes it as joblib and as one
ONNX file, and the chances of the test rows.
"""

import json
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder


def main(table: str, folder: Path) -> None:
    frame = pd.read_csv(table, keep_default_na=False)
    train, test = frame[frame.split == "train"], frame[frame.split == "test"]
    inputs = [name for name in frame.columns if name not in ("income", "split")]
    words = [name for name in inputs if not pd.api.types.is_numeric_dtype(frame[name])]
    numbers = [name for name in inputs if name not in words]
    pipeline = Pipeline(
        [
            (
                "columns",
                ColumnTransformer(
                    [
                        ("words", _encoder(), words),
                        ("numbers", "passthrough", numbers),
                    ]
                ),
            ),
            ("trees", LGBMClassifier(n_estimators=100, num_leaves=31, n_jobs=1, verbosity=-1)),
        ]
    )
    pipeline.fit(train[inputs], (train.income == ">50K").astype(int))
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, folder / "pipeline.joblib")
    (folder / "model.onnx").write_bytes(_onnx(pipeline, inputs, words))
    np.save(folder / "reference.npy", pipeline.predict_proba(test[inputs])[:, 1])
    (folder / "rows.json").write_text(json.dumps(test[inputs].to_dict("records")))


def _encoder() -> OrdinalEncoder:
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def _onnx(pipeline: Pipeline, inputs: list[str], words: list[str]) -> bytes:
    update_registered_converter(
        LGBMClassifier,
        "LightGbmLGBMClassifier",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    types = [
        (name, StringTensorType([None, 1]) if name in words else FloatTensorType([None, 1]))
        for name in inputs
    ]
    made = convert_sklearn(
        pipeline,
        initial_types=types,
        options={"trees__zipmap": False},
        target_opset={"": 15, "ai.onnx.ml": 3},
    )
    return made.SerializeToString()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
