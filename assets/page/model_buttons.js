// The buttons beside the model's line. One has the server name larger models: only when it is pressed does the server ask whether
// the hub can be reached. The other has a failed model loaded again at once; the server shows it only to whoever runs it.

import { follow } from "../lesson/shared/dom.js";
import { write } from "./heads.js";

const PAUSE_MS = 3000; // until the server says what came of it

export function mountModelButtons(element, props, watch, trigger) {
  const [larger, reload] = ["#larger-models", "#reload-model"].map((id) => element.querySelector(id));
  if (!reload) return;
  follow(watch, () => {
    larger.hidden = !props.value?.larger;
    reload.hidden = !props.value?.reload;
  });
  larger.addEventListener("click", () => trigger("click"));
  reload.addEventListener("click", async () => {
    reload.disabled = true;
    setTimeout(() => { reload.disabled = false; }, PAUSE_MS);
    const reply = await fetch("reload", { method: "POST" });
    write(document.getElementById("message"), reply.ok ? "" : (await reply.json()).error);
  });
}
