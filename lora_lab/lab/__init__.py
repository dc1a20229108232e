"""The use cases: what the page, the command line and the API can do, one function each.

Plain data in and out. Nothing heavy is imported here: a function that needs torch or transformers
imports it inside, and the page calls those (they are generators, marked "heavy") in the warm
process, never in its own.
"""

from lora_lab.lab.answers import compare, evaluate
from lora_lab.lab.factorising import (
    factorise,
    factorise_weight,
    matrix_of_file,
    matrix_of_shape,
    truncated,
)
from lora_lab.lab.offered import describe, fetch, models, sample_datasets
from lora_lab.lab.planning import check, count, forecast, preview
from lora_lab.lab.training import (
    delete,
    events,
    place_in_queue,
    resume,
    run,
    runs,
    start,
    stop,
)

# What the warm process may be asked for.
HEAVY = ("preview", "describe", "fetch", "compare", "evaluate", "factorise_weight")

__all__ = [
    "HEAVY",
    "check",
    "compare",
    "count",
    "delete",
    "describe",
    "evaluate",
    "events",
    "factorise",
    "factorise_weight",
    "fetch",
    "forecast",
    "matrix_of_file",
    "matrix_of_shape",
    "models",
    "place_in_queue",
    "preview",
    "resume",
    "run",
    "runs",
    "sample_datasets",
    "start",
    "stop",
    "truncated",
]
