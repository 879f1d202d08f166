// The page's own tables: a sentence, then rows of text under their columns, all written by the server.

import { fillTable, follow } from "../lesson/shared/dom.js";

// `value` is {sentence, caption, columns, rows} as JSON; without rows there is no table.
export function mountTable(place, props, watch) {
  const [verdict, table] = place.firstElementChild.children;
  follow(watch, () => {
    const { sentence = "", caption, columns, rows } = JSON.parse(props.value || "{}");
    verdict.textContent = sentence;
    verdict.hidden = sentence === "";
    if (rows?.length) fillTable(table, caption, columns, rows);
    else table.replaceChildren();
  });
}
