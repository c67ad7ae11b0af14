"""Save the pipeline as MLflow has it; runs in the environment of MLflow."""

import shutil
import sys
from pathlib import Path

import joblib
import mlflow

folder = Path(sys.argv[1])
shutil.rmtree(folder / "mlflow", ignore_errors=True)
mlflow.sklearn.save_model(
    joblib.load(folder / "pipeline.joblib"),
    folder / "mlflow",
    pyfunc_predict_fn="predict_proba",
    pip_requirements=["scikit-learn", "lightgbm"],
    serialization_format="cloudpickle",
)
