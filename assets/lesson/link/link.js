// A link to the prompt, the settings and the current section; the server writes all but the last.

import { copy, element, follow } from "../shared/dom.js";
import { createLink } from "../exports/exports.js";
import { currentSection, presenting } from "../contents/presenter.js";

export function mount(root, { props, watch }) {
  const input = element("input", { type: "text", id: "shared-link", readonly: true, "aria-label": "The link" });
  const button = element("button", { type: "button", class: "link", onclick: () => copy(input.value, button) }, "Copy");
  follow(watch, () => {
    if (!props.value) return;
    const also = presenting() ? "&present=1" : "";
    input.value = createLink(`${props.value.fragment}&station=${currentSection()}${also}`);
    if (!input.isConnected) root.append(input, button);
    input.select();
  });
}
