// Presenter view: large type, high contrast, and keys, which are letters wherever somebody types.
"use strict";

const find = (id) => document.getElementById(id);

export const presenting = () => document.body.hasAttribute("data-presenting");

export function present(on) {
  document.body.toggleAttribute("data-presenting", on);
  find("presenter")?.setAttribute("aria-pressed", String(on));
  document[on ? "addEventListener" : "removeEventListener"]("keydown", hear);
  if (on) document.activeElement?.blur();
}

// Goes to what a link of the contents names, and takes the focus there. At once: stations load as they come near, and a
// slow scroll past all of them would have to chase its goal.
export function goTo(link) {
  const target = document.querySelector(link.hash);
  if (!target) return;
  const heading = target.querySelector("h1, h3") ?? target;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  hold(target);
}

// Keeps `target` at the top while what is above it still grows, unless somebody scrolls.
function hold(target) {
  const growing = new ResizeObserver(() => target.scrollIntoView({ behavior: "auto", block: "start" }));
  const release = () => growing.disconnect();
  growing.observe(document.body);
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) addEventListener(kind, release, { once: true, capture: true });
  setTimeout(release, 1500);
}

// The number of the section that is being read: the last whose top has come into the upper half of the window.
export function currentSection() {
  const links = [...document.querySelectorAll("#contents a")];
  const above = links.filter((link) => document.querySelector(link.hash)?.getBoundingClientRect().top < innerHeight / 2);
  return Math.max(above.length, 1);
}

function hear(event) {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (/^[0-9]$/.test(key)) goTo(document.querySelectorAll("#contents a")[(Number(key) || 10) - 1]); // 0 is the tenth
  else if (key === "g") generate();
  else if (key === "r") find("retry")?.click();
  else if (key === "p") present(false);
  else return;
  event.preventDefault();
}

// With an empty box the first example is asked. The focus leaves the box, so that the next key is not a letter in it.
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
