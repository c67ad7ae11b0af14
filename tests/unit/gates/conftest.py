import pytest

from assay.records.report import Comparison, Estimate, Parity, Report, Scores


def estimate(value, low, high, n=1000):
    return Estimate(value=value, low=low, high=high, n=n)


@pytest.fixture
def report():
    """Return a maker of reports; keyword arguments replace the champion's metrics."""

    def make(difference=(0.1, 0.06, 0.14), **metrics):
        champion = {"roc_auc": (0.84, 0.82, 0.86), "log_loss": (0.40, 0.38, 0.42)} | metrics
        baseline = {"roc_auc": (0.74, 0.70, 0.78), "log_loss": (0.50, 0.47, 0.53)}
        return Report(
            seal="s",
            test="t",
            rows=1000,
            champion=Scores(
                name="c", metrics={key: estimate(*ends) for key, ends in champion.items()}
            ),
            baseline=Scores(
                name="b", metrics={key: estimate(*ends) for key, ends in baseline.items()}
            ),
            comparison=Comparison(
                metric="roc_auc",
                champion="c",
                baseline="b",
                difference=estimate(*difference),
                p_value=0.01,
            ),
            slices=(),
            curves=(),
            parity=Parity(rows=1, nasty_rows=1, max_abs_diff=0.0, label_flips=0, tolerance=1e-6),
            latency_ms={"p50": estimate(1.0, 0.9, 1.1), "p99": estimate(8.0, 7.0, 11.0)},
            package_bytes=2_000_000,
        )

    return make
