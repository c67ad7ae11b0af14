"""What Evidently's DataDriftPreset says of the windows in a folder; runs in its own environment.

python alarms_evidently.py FOLDER PART        # PART 0 or 1: every other window
"""

import json
import sys
import warnings
from pathlib import Path

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

warnings.filterwarnings("ignore")
folder = Path(sys.argv[1])
reference = pd.read_parquet(folder / "reference.parquet")
said = []
for case in json.loads((folder / "cases.json").read_text())[int(sys.argv[2]) :: 2]:
    rows = pd.read_parquet(folder / case["file"])
    drifted, share = [], 0.0
    for metric in Report([DataDriftPreset()]).run(rows, reference).dict()["metrics"]:
        config, value = metric["config"], metric["value"]
        if "column" not in config:
            share = value["share"]
            continue
        far = value < config["threshold"] if "p_value" in config["method"] else (
            value >= config["threshold"]
        )  # fmt: skip
        if far:
            drifted.append(config["column"])
    said.append({**case, "drifted": drifted, "data_set": bool(share >= 0.5)})
print(json.dumps(said))
