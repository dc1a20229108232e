"""The lab for programs: the page's use cases as named endpoints, for gradio_client.

client = gradio_client.Client(address, headers={"x-lora-lab-owner": a secret of your own})
client.predict({"rank": 8}, api_name="/count")
run = client.predict({"steps": 50}, gradio_client.handle_file("my.csv"), api_name="/train")
client.predict(run["run"], 0, api_name="/run")
client.submit([[run["run"], 1.0]], ["Once upon a time"], {}, api_name="/compare")
race = client.predict("race", {"steps": 50}, {"ranks": [1, 8, 64]}, "own", api_name="/race")
client.predict(race["run"], api_name="/standings")
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import gradio as gr

from lora_lab import lab
from lora_lab.config import Settings, from_json
from lora_lab.errors import LabError
from lora_lab.models.sources import is_local
from lora_lab.runs.warm import Warm
from lora_lab.ui import uploads
from lora_lab.ui.calm import told
from lora_lab.ui.comparing import compare as compare_runs
from lora_lab.ui.identity import owner
from lora_lab.ui.training import make_known


def offer(language: str, warm: Warm, *, loopback: bool) -> None:
    """Make the endpoints of the Blocks that is being built."""

    def checked(settings: dict[str, Any]) -> Settings:
        wanted = from_json(settings)
        if not loopback and is_local(wanted.model):
            raise LabError("local_path_on_shared_server", model=wanted.model)
        return wanted

    def count(settings: dict) -> dict:
        wanted = checked(settings)
        make_known(warm, wanted)
        told = lab.count(wanted)
        del told["matrix"]  # its "path" would have gradio_client fetch a file of that name
        return told

    def train(settings: dict, file: dict | None, request: gr.Request) -> dict:
        wanted = checked(settings)
        path, name = uploads.accepted(file) if file else (None, None)
        if path is None and wanted.data not in {s["name"] for s in lab.sample_datasets()}:
            raise LabError("not_a_sample", data=wanted.data[:200])
        make_known(warm, wanted)
        return {"run": lab.start(wanted, owner(request), path, name)}

    def run(run: str, offset: int, request: gr.Request) -> dict:
        who = owner(request)
        events, offset = lab.events(run, who, offset)
        shown = {key: value for key, value in lab.run(run, who).items() if key != "owner"}
        return {**shown, "events": events, "offset": offset}

    # gr.api reads in the annotation what one step of a generator gives.
    def compare(  # type: ignore[misc]
        adapters: list, prompts: list, sampling: dict, request: gr.Request
    ) -> dict:
        try:
            chosen = [(str(id), float(strength)) for id, strength in adapters]
        except (TypeError, ValueError, OverflowError) as fault:
            kind = "[[id, strength], …]"
            raise LabError("argument_unclear", name="adapters", kind=kind) from fault
        yield from compare_runs(warm, owner(request), chosen, prompts, sampling)

    functions: list[Any] = [count, train, run, compare, *_experiments(warm, checked)]
    for function in functions:
        spoken = _spoken(function, language)
        gr.api(spoken, api_name=function.__name__, concurrency_limit=None)


def _experiments(
    warm: Warm, checked: Callable[[dict[str, Any]], Settings]
) -> list[Callable[..., Any]]:
    """The endpoints of the Rank lab."""

    def race(kind: str, settings: dict, choices: dict, rate: str, request: gr.Request) -> dict:
        wanted = checked(settings)
        samples = {sample["name"] for sample in lab.sample_datasets()}
        datasets = choices.get("datasets", [])
        if not isinstance(datasets, list):
            raise LabError("argument_unclear", name="datasets", kind="list")
        for data in [wanted.data, *datasets]:
            if not isinstance(data, str) or data not in samples:
                raise LabError("not_a_sample", data=str(data)[:200])
        make_known(warm, wanted)
        run = lab.start_experiment(kind, wanted, choices, owner(request), rate)
        return {"run": run}

    def standings(run: str, request: gr.Request) -> dict:
        told = lab.experiment(run, owner(request))
        return {key: value for key, value in told.items() if key != "owner"}

    return [race, standings]


def _spoken(function: Callable[..., Any], language: str) -> Callable[..., Any]:
    """The function with its errors as gr.Error: that one is handed to the caller as it is. A
    program sends what it likes: what is not of the kind that is asked for is told before."""
    kinds = get_type_hints(function)
    kinds.pop("return")

    def checked(inputs: tuple[Any, ...]) -> None:
        for (name, kind), value in zip(kinds.items(), inputs, strict=True):
            if not isinstance(value, kind) or isinstance(value, bool):
                shown = getattr(kind, "__name__", str(kind))
                raise LabError("argument_unclear", name=name, kind=shown)

    def raised(error: Exception) -> gr.Error:
        return gr.Error(told(error).text(language), print_exception=False)

    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def streamed(*inputs: Any):
            try:
                checked(inputs)
                yield from function(*inputs)
            except Exception as error:
                raise raised(error) from error

        return streamed

    @functools.wraps(function)
    def answered(*inputs: Any) -> Any:
        try:
            checked(inputs)
            return function(*inputs)
        except Exception as error:
            raise raised(error) from error

    return answered
