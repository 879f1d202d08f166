"""One line of the log for each record: what a client sends can neither start a line nor move a terminal's cursor."""

import logging


class PrintableFormatter(logging.Formatter):
    """Escapes what is not printable, as JSON does; the lines of a traceback stay lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        return escape_unprintable(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802  # logging's name
        return "\n".join(map(escape_unprintable, super().formatException(ei).splitlines()))  # type: ignore[arg-type]


def escape_unprintable(text: str) -> str:
    """The text with \\uXXXX for controls, line ends but the space, invisible and direction-changing characters."""
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    return "\\u" + character.encode("utf-16-be", "surrogatepass").hex(" ", 2).replace(" ", "\\u")
