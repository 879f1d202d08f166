"""Gradio's components as plain HTML, with the ids and classes that the page's scripts and style sheets know.

Knows the kinds of components that the page has, and nothing of what they are for.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any, Final, TypeAlias

Component: TypeAlias = dict[str, Any]  # as Gradio's configuration describes it: {id, type, props}
Props: TypeAlias = dict[str, Any]  # a component's own, with its `kind`, and the `name` that the script knows it by
MOUNT: Final = re.compile(r"tokenStreaming\.(?P<name>\w+)\((?P<given>[\w, ]+)\)")
PLAIN_TEMPLATE: Final = "${value}"


class Markup:
    """Writes a tree of components. `names` are what the page's script calls those that it sets, by their numbers."""

    def __init__(self, components: Iterable[Component], names: Mapping[int, str]) -> None:
        self._components: dict[int, Props] = {
            each["id"]: {**each["props"], "kind": each["type"], "name": names.get(each["id"])} for each in components
        }
        self._writers: dict[str, Callable[[Props, str], str]] = {
            "row": self._write_box,
            "column": self._write_box,
            "form": self._write_box,
            "html": self._write_html,
            "textbox": self._write_textbox,
            "button": self._write_button,
            "radio": self._write_radio,
            "dropdown": self._write_dropdown,
            "checkbox": self._write_checkbox,
            "slider": self._write_slider,
            "accordion": lambda props, inner: "",  # the generation's controls: a recording has its own
            "json": lambda props, inner: "",
        }

    def write(self, node: Mapping[str, Any]) -> str:
        """The HTML of a node of the layout and all below it; nothing for what is never shown."""
        props = self._components[node["id"]]
        closed = props["kind"] == "accordion"
        inner = "" if closed else "".join(map(self.write, node.get("children") or ()))
        hidden = props.get("visible") is False and not inner
        return "" if hidden else self._writers[props["kind"]](props, inner)

    def _write_box(self, props: Props, inner: str) -> str:
        if not inner:
            return ""
        equal = {True: "stretch", False: "unequal-height", None: ""}[props.get("equal_height")]
        return f"<div {self._attributes(props, props['kind'], equal)}>{inner}</div>\n"

    def _write_html(self, props: Props, inner: str) -> str:
        template = props.get("html_template") or PLAIN_TEMPLATE
        text = (props.get("value") or "") if template == PLAIN_TEMPLATE else template
        mount = MOUNT.fullmatch(props.get("js_on_load") or "")
        data = _write_data(mount, None if template == PLAIN_TEMPLATE else props.get("value")) if mount else ""
        name = f' data-component="{props["name"]}"' if props["name"] else ""
        classes = " ".join(props.get("elem_classes") or ())
        prose = "" if mount else "prose "
        content = f'<div class="{prose}{classes}"{name}{data}>{text}</div>'
        return f'<div {self._attributes(props, "block")}><div class="html-container">{content}</div></div>\n'

    def _write_textbox(self, props: Props, inner: str) -> str:
        label, placeholder, value = (escape(props.get(name) or "") for name in ("label", "placeholder", "value"))
        return (
            f'<div {self._attributes(props, "block")}><label><span class="unseen">{label}</span>'
            f'<textarea rows="1" placeholder="{placeholder}" autocomplete="off" enterkeyhint="send">{value}</textarea>'
            "</label></div>\n"
        )

    def _write_button(self, props: Props, inner: str) -> str:
        disabled = "" if props.get("interactive", True) else " disabled"
        attributes = self._attributes(props, props["size"], props["variant"])
        return f'<button type="button" {attributes}{disabled}>{escape(props["value"])}</button>\n'

    def _write_radio(self, props: Props, inner: str) -> str:
        name = props["elem_id"]
        choices = "".join(
            f'<label{" class=selected" if value == props["value"] else ""}><input type="radio" name="{name}" '
            f'value="{value}"{" checked" if value == props["value"] else ""}> <span>{escape(text)}</span></label>'
            for text, value in props["choices"]
        )
        legend = f'<span>{escape(props["label"])}</span><div class="wrap">{choices}</div>'
        return f"<fieldset {self._attributes(props, 'block')}>{legend}</fieldset>\n"

    def _write_dropdown(self, props: Props, inner: str) -> str:
        options = "".join(
            f'<option value="{value}"{" selected" if value == props["value"] else ""}>{escape(text)}</option>'
            for text, value in props["choices"]
        )
        label = f"<span>{escape(props['label'])}</span> <select>{options}</select>"
        return f"<div {self._attributes(props, 'block')}><label>{label}</label></div>\n"

    def _write_checkbox(self, props: Props, inner: str) -> str:
        checked = " checked" if props.get("value") else ""
        text = f'<input type="checkbox"{checked}> <span>{escape(props["label"])}</span>'
        return f"<div {self._attributes(props, 'block')}><label>{text}</label></div>\n"

    def _write_slider(self, props: Props, inner: str) -> str:
        limits = f'min="{props["minimum"]}" max="{props["maximum"]}" step="{props["step"]}" value="{props["value"]}"'
        label = escape(props["label"])
        text = f'<span>{label}</span> <input type="range" {limits}> <output>{props["value"]:g}</output>'
        return f"<div {self._attributes(props, 'block')}><label>{text}</label></div>\n"

    def _attributes(self, props: Props, *classes: str) -> str:
        id = f'id="{props["elem_id"]}" ' if props.get("elem_id") else ""
        given = props.get("elem_classes") or []
        hidden = " hidden" if props.get("visible") is False else ""
        return f'{id}class="{" ".join(filter(None, (*classes, *given)))}"{hidden}'


def _write_data(mount: re.Match[str], value: object) -> str:
    """The call of the function that brings a component to life, and the component's value."""
    held = "" if value is None else f' data-value="{escape(json.dumps(value))}"'
    return f' data-mount="{mount["name"]}" data-given="{mount["given"]}"{held}'
