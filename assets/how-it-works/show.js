// Shows the README.md beside the page that loads this. Its text is this repository's own, so it may be markup.
"use strict";

import { marked } from "../vendor/marked-18.2.1.js";

const response = await fetch("README.md");
if (response.ok) document.querySelector("main").innerHTML = marked.parse(await response.text());
