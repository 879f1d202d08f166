// How this browser runs a program of the README: each takes its text, prints what comes, and ends with `signal`.
"use strict";

import { Refused } from "../shared/stream.js";

const AsyncFunction = (async () => {}).constructor;

// The very text that is shown, with a console that prints here and a fetch that Stop can end.
async function runScript(text, print, signal) {
  const program = new AsyncFunction("console", "fetch", text);
  const say = (...values) => print(`${values.join(" ")}\n`);
  await program({ log: say }, (url, options) => fetch(url, { ...options, signal }));
}

// What the command asks for, asked by this browser; the stream is printed as it comes.
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
