// The programs that can be run in this browser. Each is run as the request that it sends and the output that it prints:
// its text is not evaluated. A test runs the texts themselves and compares both.

import { ask, readEvents } from "../shared/stream.js";

const REQUEST = { method: "POST", body: { inputs: "What is Deep Learning?", parameters: { max_new_tokens: 20 } } };
const send = (signal) => ask("/generate_stream", { ...REQUEST, signal });

// curl prints the stream as it arrives.
async function runCurl(print, signal) {
  for await (const { raw } of readEvents(await send(signal))) print(raw);
}

// The script logs the text so far with each token; only what is new is printed.
async function runFetch(print, signal) {
  for await (const { data } of readEvents(await send(signal))) {
    if (data === undefined) continue;
    const { token, error } = JSON.parse(data);
    if (error) throw new Error(error);
    print(token.text);
  }
}

export const RUNNERS = { curl: runCurl, fetch: runFetch };
