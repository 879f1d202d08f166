// Files and a link of the last run, made in the browser: its trace, the table, a link that replays it.

import { writeCsv } from "../shared/csv.js";
import { copy, download } from "../shared/dom.js";

export function mount(root) {
  const find = (id) => root.querySelector(`#${id}`);
  const show = () => {
    root.hidden = !tokenStreaming.run;
    find("run-link-label").hidden = true;
  };
  document.addEventListener("run", show);
  show();
  find("save-trace").addEventListener("click", () => {
    const { number, trace } = tokenStreaming.run;
    download(`run-${number}.json`, JSON.stringify(trace, null, 1), "application/json");
  });
  find("save-table").addEventListener("click", () => download("runs.csv", writeTable(), "text/csv"));
  find("link-run").addEventListener("click", (event) => {
    const link = createLink(tokenStreaming.run.fragment);
    find("run-link").value = link;
    find("run-link-label").hidden = false;
    find("run-link").select();
    copy(link, event.target);
  });
}

export const createLink = (fragment) => `${location.href.split("#")[0]}#${fragment}`;

function writeTable() {
  const rows = [...document.querySelectorAll("#numbers tr")];
  return writeCsv(rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
}
