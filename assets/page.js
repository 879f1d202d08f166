// The page's script: what Gradio calls by name, and the modules behind it (page/), which load meanwhile.
"use strict";

(() => {
  const components = import(new URL("page/components.js", document.baseURI));
  const later = (name) => (...given) => { components.then((module) => module[name](...given)); };
  const NAMES = ["mountChart", "mountExamples", "mountLine", "mountNow", "mountPane", "mountPast", "mountRun", "mountSight", "mountStation", "mountTable", "mountVerdict"];

  // What a question is asked with: the prompt, how it is asked, the dials. `how` is for one question only.
  function gather([prompt, keep, ...dials]) {
    const how = page.how ?? keep;
    page.how = null;
    return [prompt, how, ...dials];
  }

  document.documentElement.classList.toggle("framed", window.self !== window.top);
  const page = window.tokenStreaming;
  Object.assign(page, { run: null, how: null, gather, ...Object.fromEntries(NAMES.map((name) => [name, later(name)])) });
})();
