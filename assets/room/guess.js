// A guess in seconds, made with a slider and two buttons for single steps. It has no value until it is moved, so that no
// number on the screen pulls the guesses to it. A plain script for old browsers: it sets `window.roomGuess`.

window.roomGuess = (() => {
  const LONGEST = 60; // seconds
  const STEPS = 1000; // of the slider, whose seconds grow with the square, so that short waits can be told exactly

  const toSeconds = (position) => round(LONGEST * (position / STEPS) ** 2);
  const toPosition = (seconds) => Math.round(STEPS * Math.sqrt(seconds / LONGEST));
  const stepAt = (seconds) => (seconds < 2 ? 0.1 : seconds < 20 ? 0.5 : 1);
  const round = (seconds) => {
    const step = stepAt(seconds);
    return Number(Math.max(0.1, Math.round(seconds / step) * step).toFixed(1));
  };

  // Builds the guess in `host`. `words()` is the language of now.
  return function createGuess(host, words) {
    let seconds = null;
    const title = add(host, "label");
    const row = add(host, "div");
    const less = add(row, "button", { type: "button" }, "−");
    const slider = add(row, "input", { type: "range", min: 0, max: STEPS, step: 1, id: `${host.id}-slider` });
    const more = add(row, "button", { type: "button" }, "+");
    title.htmlFor = slider.id;
    const label = add(title, "span");
    const value = add(title, "output");

    function show() {
      const say = words().say;
      value.textContent = seconds === null ? say("unset") : say("seconds", { seconds });
      slider.setAttribute("aria-valuetext", value.textContent);
      less.setAttribute("aria-label", `${label.textContent}: ${say("less")}`);
      more.setAttribute("aria-label", `${label.textContent}: ${say("more")}`);
      host.classList.toggle("unset", seconds === null);
    }

    function set(next) {
      seconds = next;
      if (seconds !== null) slider.value = toPosition(seconds);
      show();
    }

    const nudge = (sign) => () => {
      const from = seconds === null ? toSeconds(slider.value) : seconds;
      set(Math.min(LONGEST, round(from + sign * stepAt(sign < 0 ? from - 0.01 : from))));
    };
    slider.addEventListener("input", () => set(toSeconds(slider.value)));
    less.addEventListener("click", nudge(-1));
    more.addEventListener("click", nudge(1));
    return {
      get: () => seconds,
      name(text) { label.textContent = text; show(); },
      reset() { slider.value = STEPS / 3; set(null); },
    };
  };

  function add(parent, tag, attributes, text) {
    const node = document.createElement(tag);
    for (const name of Object.keys(attributes || {})) node.setAttribute(name, attributes[name]);
    if (text) node.textContent = text;
    return parent.appendChild(node);
  }
})();
