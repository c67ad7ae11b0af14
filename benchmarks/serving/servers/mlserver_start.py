"""MLServer with one model, in one process, on the port that is asked for."""

import asyncio
import sys

from mlserver import MLServer
from mlserver.settings import ModelSettings, Settings
from mlserver_runtime import Adult

port = int(sys.argv[1])
settings = Settings(
    http_port=port,
    grpc_port=port + 1000,
    metrics_port=port + 2000,
    parallel_workers=0,
    debug=False,
)
asyncio.run(MLServer(settings).start([ModelSettings(name="adult", implementation=Adult)]))
