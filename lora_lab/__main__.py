"""`python -m lora_lab VERB`."""

import os
import sys

from lora_lab.cli.main import main


def _serve(host: str, port: int) -> None:
    # Before gradio is imported: it reads this once, and the lab speaks to no other host.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from lora_lab.ui import server

    server.serve(host, port)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], _serve))
