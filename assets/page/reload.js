// The button that has a failed model loaded again at once. The server shows it only to whoever runs it.

import { write } from "./heads.js";

const PAUSE_MS = 3000; // until the server says what came of it

export function mountReload(element, props, watch) {
  const button = element.querySelector("#reload-model");
  if (!button) return;
  const update = () => { button.hidden = !props.value?.reload; };
  update();
  watch("value", update);
  button.addEventListener("click", async () => {
    button.disabled = true;
    setTimeout(() => { button.disabled = false; }, PAUSE_MS);
    const reply = await fetch("reload", { method: "POST" });
    write(document.getElementById("message"), reply.ok ? "" : (await reply.json()).error);
  });
}
