"""The lab as one web application, and the server that runs it."""

from __future__ import annotations

import errno
import logging
import os
import socket
from contextlib import asynccontextmanager
from logging.handlers import RotatingFileHandler

import gradio as gr
import uvicorn
from fastapi import FastAPI

from lora_lab import config, lab, words
from lora_lab.errors import LabError
from lora_lab.runs.dispatcher import Dispatcher
from lora_lab.runs.warm import Warm
from lora_lab.ui import calm, exports, page, reports, shelf_files, theme, uploads
from lora_lab.ui.guard import Guard, is_loopback
from lora_lab.ui.head import head
from lora_lab.ui.identity import Visitor
from lora_lab.ui.languages import PATHS, LanguageChoice

PORT = 7860
PORTS_TRIED = 100


def application(*, loopback: bool) -> FastAPI:
    """Every language's page in one application. loopback: it answers this machine alone, and a
    folder of this machine may be named as a model."""

    warm = Warm("lora_lab.lab", lab.HEAVY)

    @asynccontextmanager
    async def alive(_: FastAPI):
        lab.tidy()
        dispatcher = Dispatcher()
        warm.start()
        yield
        warm.close()
        dispatcher.close()

    app = FastAPI(lifespan=alive, openapi_url=None)
    app.include_router(exports.router)
    app.include_router(shelf_files.router)
    app.include_router(reports.router)
    for language, path in PATHS.items():
        demo, names = page.build(language, warm, loopback=loopback)
        gr.mount_gradio_app(
            app,
            demo,
            path,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            show_error=False,
            ssr_mode=False,
            pwa=False,
            max_file_size=uploads.LARGEST,
            theme=theme.theme(),
            css_paths=theme.CSS,
            head=head(names, language),
        )
    # The last added stands outermost.
    app.add_middleware(Visitor)
    app.add_middleware(LanguageChoice)
    app.add_middleware(Guard, loopback=loopback)
    return app


def serve(host: str = "", port: int = 0) -> None:
    """Run the page until it is ended. host, port: "" and 0 for the environment's or the usual
    ones; of the usual port, the next free one is taken.

    Raises LabError where the port asked for is taken or the host is not this machine's.
    """
    host = host or os.environ.get("GRADIO_SERVER_NAME") or usual_host()
    port = port or int(os.environ.get("GRADIO_SERVER_PORT") or 0)
    listening = listen(host, port)
    _keep_a_log()
    at = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    print(words.say("server.open", address=f"http://{shown}:{at}/"), flush=True)
    app = application(loopback=is_loopback(host))
    # A page left open must not hold the server up when it is ended.
    settings = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
    uvicorn.Server(settings).run(sockets=[listening])


def _keep_a_log() -> None:
    """What nobody foresaw is written down whole, where a person is told to look."""
    file = config.home() / calm.LOG
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(file, maxBytes=5_000_000, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger("lora_lab").addHandler(handler)


def usual_host() -> str:
    """This machine alone; on a Space, whoever the Space lets in."""
    return "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1"


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 means the first free one from the usual one up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    wanted = [port] if port else range(PORT, PORT + PORTS_TRIED)
    for candidate in wanted:
        bound = socket.socket(family)
        if os.name == "posix":  # elsewhere this option would let two servers share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, candidate))
            bound.listen()
            return bound
        except OSError as error:
            bound.close()
            if error.errno != errno.EADDRINUSE:
                raise LabError("cannot_listen", host=host, port=str(candidate)) from error
    key = "port_taken" if port else "no_free_port"
    raise LabError(key, port=str(wanted[0]), last=str(wanted[-1]))
