// Presenter view: large type, high contrast, and keyboard shortcuts, which do not apply in text fields.

const BUTTONS = { r: "retry", s: "room-start", n: "room-next", x: "room-close" }; // by the key that presses each
const find = (id) => document.getElementById(id);

export const presenting = () => document.body.hasAttribute("data-presenting");

export function present(on) {
  document.body.toggleAttribute("data-presenting", on);
  find("presenter")?.setAttribute("aria-pressed", String(on));
  document[on ? "addEventListener" : "removeEventListener"]("keydown", handleKey);
  if (on) document.activeElement?.blur();
}

// Scrolls to a section and focuses its heading. Not smoothly: stations that load on the way would move the section.
export function goTo(link) {
  const target = document.querySelector(link.hash);
  if (!target) return;
  const heading = target.querySelector("h1, h3") ?? target;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  keepAtTop(target);
}

// Keeps `target` at the top while the content above it grows, until the user scrolls.
function keepAtTop(target) {
  const growing = new ResizeObserver(() => target.scrollIntoView({ behavior: "auto", block: "start" }));
  const release = () => growing.disconnect();
  growing.observe(document.body);
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) addEventListener(kind, release, { once: true, capture: true });
  setTimeout(release, 1500);
}

// The number of the current section: the last whose top is in the upper half of the window, or above.
export function currentSection() {
  const links = [...document.querySelectorAll("#contents a")];
  const above = links.filter((link) => document.querySelector(link.hash)?.getBoundingClientRect().top < innerHeight / 2);
  return Math.max(above.length, 1);
}

function handleKey(event) {
  const typing = event.target.closest?.("input:not([type=radio]), textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (/^[0-9]$/.test(key)) goTo(document.querySelectorAll("#contents a")[(Number(key) || 10) - 1]); // 0 is the tenth
  else if (key === "g") generate();
  else if (key === "o") openRoom();
  else if (key === "p") present(false);
  else if (key in BUTTONS) press(BUTTONS[key]);
  else return;
  event.preventDefault();
}

function press(id) {
  const button = find(id);
  if (button && !button.closest("[hidden]")) button.click();
}

// Goes to the room, and opens it once its script is there.
function openRoom() {
  goTo(document.querySelector("#contents [href='#station-room']"));
  const open = () => {
    if (find("room-open").disabled) requestAnimationFrame(open);
    else press("room-open");
  };
  open();
}

// With an empty prompt the first example is asked. The prompt loses the focus, so that the next key is a shortcut.
function generate() {
  const box = document.querySelector("#prompt textarea");
  if (!box.value.trim()) document.querySelector(".chip")?.click();
  const send = () => {
    if (!box.value.trim()) { requestAnimationFrame(send); return; }
    find("generate").click();
    box.blur();
  };
  send();
}
