"""An adapter given to the Hugging Face Hub, under its owner's own account.

The token is used for this one upload and kept nowhere.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError
from lora_lab.models import hub, hub_adapter
from lora_lab.models.sources import HUB_ID


def push(folder: Path, card: str, repository: str, token: str, private: bool = True) -> str:
    """Upload the adapter in folder with that card to repository (owner/name); its address.

    A repository that is not there yet is made. Raises LabError: no id, no token, one that the Hub
    refuses, a Hub that is not reached.
    """
    if not HUB_ID.fullmatch(repository.strip()):
        raise LabError("not_a_hub_id", model=repository[:100])
    if not token.strip():
        raise LabError("hub_token_missing")
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub.endpoint(), token=token.strip())
    with tempfile.TemporaryDirectory() as place:
        for name in hub_adapter.WANTED:
            if (folder / name).is_file():
                (Path(place) / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(folder / name, Path(place) / name)
        (Path(place) / "README.md").write_text(card, "utf-8")
        return _told(lambda: _upload(api, repository.strip(), Path(place), private), repository)


def _upload(api: Any, repository: str, folder: Path, private: bool) -> str:
    made = api.create_repo(repository, private=private, exist_ok=True)
    api.upload_folder(
        repo_id=made.repo_id, folder_path=folder, commit_message="An adapter from LoRA Lab"
    )
    return str(made)


def _told(upload: Callable[[], str], repository: str) -> str:
    """What the Hub says against it, as a LabError; the token is in none of them."""
    import httpx2
    from huggingface_hub import errors

    try:
        return upload()
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise LabError("hub_token_refused", model=repository) from error
        raise LabError("hub_failed", model=repository, status=status) from error
    except (httpx2.RequestError, ConnectionError, TimeoutError) as error:
        raise LabError("hub_unreachable", model=repository) from error
