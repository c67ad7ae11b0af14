"""Replay weeks of a market whose rule turns round: labels say so, the inputs do not.

    python examples/electricity/replay.py [--fast]

The exit code is 0 only if the watcher called it concept drift, and a model of the new rule is live.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from make_stream import half_hours
from replaying import Replay

HERE = Path(__file__).parent
HISTORY = 26
FAULT = 3
WEEKS = 20
FAST = {'time = "30s"': 'time = "8s"', "[serve]": '[serve]\nslo = "1s"', '"20ms"': '"1s"'}
"""Less training, and softer promises of latency: for machines with much else to do."""


def main() -> int:
    """Replay the market."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="spend less time on training")
    settings = FAST if parser.parse_args().fast else {}
    with Replay(HERE, half_hours(0, HISTORY), "price", settings=settings) as replay:
        replay.train()
        replay.serve()
        replay.watch()
        for week in range(WEEKS):
            note = "from here on demand above the usual makes prices fall" if week == FAULT else ""
            replay.window(half_hours(HISTORY + week, 1, after=week >= FAULT), note)
            if replay.closed():
                break
        first = replay.incidents()[0]
        return replay.verdict(
            {
                "no input moved": not any(key.startswith("drift:") for key in first.symptoms),
                "labels showed it, and the likeliest cause is what they say": (
                    first.causes[0]["kind"] == "labels"
                ),
                **replay.closing(),
            }
        )


if __name__ == "__main__":
    sys.exit(main())
