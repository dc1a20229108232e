"""Which column is which: by the settings where they say, else by well-known names, else asked."""

from __future__ import annotations

from dataclasses import dataclass

from lora_lab.config import Settings
from lora_lab.data.quoting import listed, shown
from lora_lab.data.table import Table
from lora_lab.errors import LabError

# Names people give their columns, in English, Spanish and Galician; compared without case.
TEXT = {"text", "story", "content", "document", "poem", "sentence"}
TEXT |= {"texto", "historia", "cuento", "conto", "relato", "contenido", "contido", "documento"}
PROMPT = {"prompt", "instruction", "question", "query"}
PROMPT |= {"pregunta", "instrucción", "instruccion", "instrución", "instrucion", "consulta"}
RESPONSE = {"response", "output", "answer", "completion", "reply"}
RESPONSE |= {"respuesta", "resposta", "salida", "saída", "saida"}
# Beside one of PROMPT these give it context; "input" alone is a prompt.
CONTEXT = {"context", "input", "contexto", "entrada"}
LONE_PROMPT = {"input", "entrada"}
MESSAGES = {"messages", "conversations", "conversation", "chat", "dialogue"}
MESSAGES |= {"mensajes", "mensaxes", "conversación", "conversacion", "diálogo", "dialogo"}


@dataclass(frozen=True)
class Roles:
    """shape: text, prompt or chat; columns: role (text; prompt, context, response; messages) ->
    the column that plays it."""

    shape: str
    columns: dict[str, str]


def find(table: Table, settings: Settings) -> Roles:
    """The shape of the table and its columns' roles; a LabError asks where more than one fits."""
    named = {role: getattr(settings, f"{role}_column") for role in ROLES_OF_SHAPE["any"]}
    _check_named(table, named)
    wanted = [settings.shape] if settings.shape != "auto" else _shapes_of(named)
    fits = [roles for shape in wanted if (roles := _fit(table, shape, named))]
    if len(fits) > 1:
        columns = listed(column for roles in fits for column in roles.columns.values())
        raise LabError("shape_unclear", file=table.name, columns=columns)
    if not fits:
        raise LabError("no_known_column", file=table.name, columns=listed(table.columns))
    return fits[0]


ROLES_OF_SHAPE = {
    "text": ("text",),
    "prompt": ("prompt", "response"),
    "chat": ("messages",),
    "any": ("text", "prompt", "response", "messages"),
}
NAMES = {"text": TEXT, "prompt": PROMPT, "response": RESPONSE, "messages": MESSAGES}


def _check_named(table: Table, named: dict[str, str]) -> None:
    for column in named.values():
        if column and column not in table.columns:
            there = listed(table.columns)
            raise LabError("column_absent", file=table.name, column=shown(column), columns=there)


def _shapes_of(named: dict[str, str]) -> list[str]:
    """The shapes that the named columns belong to; all of them where none is named."""
    shapes = ["text", "prompt", "chat"]
    chosen = [s for s in shapes if any(named[role] for role in ROLES_OF_SHAPE[s])]
    return chosen or shapes


def _fit(table: Table, shape: str, named: dict[str, str]) -> Roles | None:
    columns = {}
    for role in ROLES_OF_SHAPE[shape]:
        column = named[role] or _known(table, NAMES[role])
        if column is None and role == "prompt":
            column = _known(table, LONE_PROMPT)
        if column is None:
            return None
        columns[role] = column
    if shape == "prompt" and not named["prompt"]:
        context = _known(table, CONTEXT - {columns["prompt"].casefold()})
        if context:
            columns = {"prompt": columns["prompt"], "context": context} | columns
    return Roles(shape, columns)


def _known(table: Table, names: set[str]) -> str | None:
    """The one column of the table that goes by one of names; two are a question for the person."""
    found = [column for column in table.columns if column.casefold() in names]
    if len(found) > 1:
        raise LabError("columns_unclear", file=table.name, columns=listed(found))
    return found[0] if found else None
