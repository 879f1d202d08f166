// Shows the README.md beside the page that loads this. Its text is this repository's own, so it may be markup.
import { marked } from "./marked.js";

const response = await fetch("README.md");
if (response.ok) document.querySelector("main").innerHTML = marked.parse(await response.text());
