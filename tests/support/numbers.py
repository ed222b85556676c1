"""What /metrics says, read as Prometheus reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


class Numbers:
    """The numbers of one answer: `numbers("requests_total", route="/healthz")`."""

    def __init__(self, text):
        self.samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def __call__(self, name, **labels):
        """The sum of the samples that have these labels; None where there is none."""
        found = [
            sample.value
            for sample in self.samples
            if sample.name == f"contactapp_{name}" and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    def labels(self, label):
        """Every value of a label."""
        return {s.labels[label] for s in self.samples if label in s.labels}


def read(app, **kwargs):
    """The numbers of an application of this process."""
    answer = app.test_client().get("/metrics", **kwargs)
    assert answer.status_code == 200, answer.text
    return Numbers(answer.text)


class Growth:
    """How much a number grew since this was made; all applications of a process count together."""

    def __init__(self, app):
        self._app = app
        self._before = read(app)

    def __call__(self, name, **labels):
        return (read(self._app)(name, **labels) or 0) - (self._before(name, **labels) or 0)
