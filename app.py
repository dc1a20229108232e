"""Starts the lab's page: python app.py [--host 0.0.0.0] [--port 7860]. What a Space runs, too."""

import argparse
import os
import sys

# Before gradio is imported: it reads this once, and the lab speaks to no other host.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from lora_lab.errors import LabError
from lora_lab.ui import server


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="", help="0.0.0.0 opens the lab to your network")
    parser.add_argument("--port", type=int, default=0, help="default: 7860 or the next free one")
    told = parser.parse_args()
    try:
        server.serve(told.host, told.port)
    except LabError as error:
        print(error.text(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
