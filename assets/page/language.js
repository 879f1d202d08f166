// The page's language: `?lang=`, else the first of the browser's that the page has, else English.
//
// Every text, the server's and the scripts', is English until it is put on the page: there it is replaced by its translation,
// which `texts/` holds. What people, models and programs wrote is in elements with translate="no" and stays.

import constants from "../constants.js";
import { parseMarkup } from "../lesson/shared/dom.js";
import { createTranslator } from "./translator.js";

const ATTRIBUTES = ["title", "aria-label", "placeholder", "label", "data-idle", "data-waiting"];
const KEPT = "[translate], script, style, pre, code";
const BLOCKS = "p, li, td, th, dt, dd, h2, h3, h4, caption, summary";
const INLINE = "strong, em, code, q, i, b, kbd, a:not([id])";

export const language = chooseLanguage();
export const marks = constants.languages[language]; // of a number: {decimal, group}
let texts = {}; // translations by their English
let current = (text) => text;

// For texts that are composed before they are put on the page, once the texts are `loaded`.
export const translate = (text) => current(text);
export const isTranslated = (node) => language !== "en" && !isKept(node);
export const translateAt = (node, text) => (isKept(node) ? text : translate(text));
export const loaded = loadTexts();

function chooseLanguage() {
  const asked = new URLSearchParams(location.search).get("lang");
  const wanted = [asked, ...navigator.languages].map((tag) => tag?.slice(0, 2).toLowerCase());
  return wanted.find((tag) => Object.hasOwn(constants.languages, tag ?? "")) ?? "en";
}

async function loadTexts() {
  document.documentElement.lang = language;
  // Gradio's client chooses the language of its own texts, and the document's, by this.
  Object.defineProperty(navigator, "language", { value: language, configurable: true });
  if (language === "en") return;
  texts = (await import(`../texts/${language}.js`)).default;
  const look = createTranslator(texts, marks);
  current = (text) => {
    const english = text.replace(/\s+/g, " ");
    const found = look(english);
    return found === english ? text : found;
  };
  translateNode(document.body);
  const options = { childList: true, characterData: true, subtree: true, attributes: true, attributeFilter: ATTRIBUTES };
  new MutationObserver(translateChanges).observe(document.body, options);
}

// Before they are painted. What this itself puts on the page is no change.
function translateChanges(changes, observer) {
  for (const { type, target, attributeName, addedNodes } of changes) {
    if (type === "childList") addedNodes.forEach(translateNode);
    else if (isKept(target)) continue;
    else if (type === "attributes") translateAttribute(target, attributeName);
    else translateText(target);
  }
  observer.takeRecords();
}

// The nearest element that says so decides, as in HTML.
function isKept(node) {
  const nearest = (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest(KEPT);
  return Boolean(nearest) && nearest.getAttribute("translate") !== "yes";
}

function translateNode(node) {
  if (node.nodeType === Node.TEXT_NODE && !isKept(node)) translateText(node);
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  if (!isKept(node)) {
    for (const name of ATTRIBUTES) if (node.hasAttribute(name)) translateAttribute(node, name);
    if (node.matches(BLOCKS) && translateMarkup(node)) return;
  }
  for (const child of [...node.childNodes]) translateNode(child);
}

// A sentence with words of another kind in it is translated as a whole.
function translateMarkup(node) {
  const inner = [...node.querySelectorAll("*")];
  if (!inner.length || !inner.every((each) => each.matches(INLINE))) return false;
  const text = texts[writeMarkup(node).replace(/\s+/g, " ").trim()];
  if (text) node.replaceChildren(...parseMarkup(text));
  return Boolean(text);
}

// The markup of an element's content, as it is written in our files.
function writeMarkup(node) {
  const inner = Array.from(node.childNodes, (child) => {
    if (child.nodeType === Node.TEXT_NODE) return child.data;
    const attributes = Array.from(child.attributes, ({ name, value }) => ` ${name}="${value}"`).join("");
    return `<${child.localName}${attributes}>${writeMarkup(child)}</${child.localName}>`;
  });
  return inner.join("");
}

function translateText(node) {
  const [, before, english, after] = /^(\s*)(.*?)(\s*)$/s.exec(node.data);
  const text = translate(english);
  if (text !== english) node.data = before + text + after;
}

function translateAttribute(node, name) {
  const english = node.getAttribute(name);
  const text = translate(english);
  if (text !== english) node.setAttribute(name, text);
}

// The links to the page in each language: in the same theme, with the same prompt or run.
export function mountLanguages(element) {
  for (const link of element.querySelectorAll("a[lang]")) {
    if (link.lang === language) link.setAttribute("aria-current", "true");
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const address = new URL(location.href);
      address.searchParams.set("lang", link.lang);
      location.assign(address.href);
    });
  }
}
