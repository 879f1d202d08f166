// How this browser runs one of these programs: each takes its text, prints its output, and ends with `signal`.
"use strict";

import { Refused } from "../shared/stream.js";

const AsyncFunction = (async () => {}).constructor;

// Exactly the code that is shown, with a console that prints here and a fetch that Stop can end.
async function runScript(text, print, signal) {
  const program = new AsyncFunction("console", "fetch", text);
  await program({ log: makeLog(print) }, (url, options) => fetch(url, { ...options, signal }));
}

// A program logs a text as it grows, whole each time: only what is new is appended. Anything else begins a line.
function makeLog(print) {
  let last = "";
  return (...values) => {
    const line = values.join(" ");
    if (line.startsWith(last)) print(line.slice(last.length));
    else print(`\n${line}`);
    last = line;
  };
}

// The command's request, sent by this browser; the stream is printed as it arrives.
async function runCurl(text, print, signal) {
  const { url, body } = readCurl(text);
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body, signal });
  if (!response.ok) throw new Refused(response.status, (await response.json()).error);
  const [reader, decoder] = [response.body.getReader(), new TextDecoder()];
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    print(decoder.decode(read.value, { stream: true }));
  }
}

function readCurl(text) {
  return { url: text.match(/https?:\/\/[^\s']+/)[0], body: text.match(/-d '([^']*)'/)[1] };
}

export const RUNNERS = { fetch: runScript, curl: runCurl };
