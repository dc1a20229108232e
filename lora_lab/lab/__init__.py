"""The use cases: what the page, the command line and the API can do, one function each.

Plain data in and out. Nothing heavy is imported here: a function that needs torch or transformers
imports it inside, and the page calls those (they are generators, marked "heavy") in the warm
process, never in its own.
"""

from lora_lab.lab.adapters import (
    adapter,
    adapter_folder,
    base_of,
    card_of,
    delete_adapter,
    export_adapter,
    import_adapter,
    merge_adapter,
    merge_shelved,
    merged_file,
    mix_adapters,
    name_adapter,
    prove_adapter,
    push_adapter,
    restore_adapter,
    shelf,
)
from lora_lab.lab.answers import compare, evaluate
from lora_lab.lab.cost import cost, measured
from lora_lab.lab.factorising import (
    factorise,
    factorise_weight,
    matrix_of_file,
    matrix_of_shape,
    truncated,
)
from lora_lab.lab.inside import compress, cut_base, spectrum
from lora_lab.lab.languages import (
    languages_measured,
    languages_of,
    measure_languages,
    start_languages,
)
from lora_lab.lab.offered import describe, fetch, models, sample_datasets
from lora_lab.lab.planning import check, count, forecast, matrices, preview
from lora_lab.lab.racing import experiment, planned, shelve_arm, start_experiment
from lora_lab.lab.training import (
    delete,
    events,
    place_in_queue,
    resume,
    run,
    runs,
    start,
    stop,
    tidy,
)

# What the warm process may be asked for.
HEAVY = (
    "preview",
    "describe",
    "fetch",
    "compare",
    "evaluate",
    "factorise_weight",
    "spectrum",
    "compress",
    "cut_base",
    "import_adapter",
    "mix_adapters",
    "merge_adapter",
    "merge_shelved",
    "prove_adapter",
    "measure_languages",
)
