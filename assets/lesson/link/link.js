// The link that brings back the prompt, the dials and the section; the server writes all but the last.
"use strict";

import { copy, element } from "../shared/dom.js";
import { address } from "../exports/exports.js";
import { currentSection, presenting } from "../contents/presenter.js";

export function mount(root, { props, watch }) {
  const input = element("input", { type: "text", id: "shared-link", readonly: true, "aria-label": "The link" });
  const button = element("button", { type: "button", class: "link", onclick: () => copy(input.value, button) }, "Copy");
  const show = () => {
    if (!props.value) return;
    const also = presenting() ? "&present=1" : "";
    input.value = address(`${props.value.fragment}&station=${currentSection()}${also}`);
    if (!input.isConnected) root.append(input, button);
    input.select();
  };
  show();
  watch("value", show);
}
