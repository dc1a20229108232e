"""What stands in the page's head: its script, and the facts the script needs."""

from __future__ import annotations

import json
from pathlib import Path

from lora_lab.ui import form
from lora_lab.words import say

SCRIPT = Path(__file__).with_name("page.js")
# Gradio's own words in the page that no parameter reaches; a space at the end: a beginning.
BUILTIN = {"number input for ": "builtin.number", "range slider for ": "builtin.range"}
BUILTIN |= {
    "Error": "builtin.error",
    "Connection to the server was lost. Attempting reconnection...": "builtin.lost",
    "Waiting for file(s) to finish uploading, please retry.": "builtin.uploading",
}


def head(names: list[str], language: str) -> str:
    """names: the form's, in the order in which their values travel."""
    facts = {
        "language": language,
        "names": names,
        "defaults": form.defaults(),
        "builtin": [[english, say(key, language)] for english, key in BUILTIN.items()],
    }
    # A closing tag inside a string would end the script.
    told = json.dumps(facts).replace("<", "\\u003c")
    return f"<script>window.loraLab = {told};</script><script>{SCRIPT.read_text('utf-8')}</script>"
