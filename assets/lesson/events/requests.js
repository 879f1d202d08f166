// The requests that station 7 sends, with notes, and each as a command.

import { address, applyChatTemplate } from "../shared/stream.js";

export const JSON_TYPE = "application/json";

export const KINDS = {
  native: {
    note: "The question as the model reads it, in its chat template (from POST /chat_tokenize): the native route leaves text "
      + "with control tokens as it is, and puts plain text into the template itself. This stream ends when the server closes it.",
    compose: async (question, tokens, signal) => ({
      method: "POST", path: "/generate_stream",
      body: { inputs: await applyChatTemplate(question, { signal }), parameters: { max_new_tokens: tokens, details: true } },
    }),
  },
  chat: {
    note: "The same question to OpenAI's route: the same tokens in another format. This stream ends with data: [DONE].",
    compose: async (question, tokens) => ({
      method: "POST", path: "/v1/chat/completions",
      body: {
        messages: [{ role: "user", content: question }], max_tokens: tokens, temperature: 0, logprobs: true, stream: true,
        stream_options: { include_usage: true },
      },
    }),
  },
  pause: {
    note: "Deliberate: a script, not the model, writes a few words (log-probability 0: certain), pauses for five seconds "
      + "and continues. The server's own code fills the pause with comments (keep-alive), which clients skip and which "
      + "keep proxies from closing an idle connection: here after about 1 s, otherwise after 15 s.",
    compose: async () => ({ method: "GET", path: "/faults/pause" }),
  },
  break: {
    note: "Deliberate: a script, not the model, fails after a few words. The status 200 has been sent by then, so the "
      + "error is the stream's last event, written by the server's own code.",
    compose: async () => ({ method: "GET", path: "/faults/break" }),
  },
};

// A command for a POSIX shell.
export function writeCurl({ method, path, body }) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl", "-N", quote(address(path))];
  if (method === "POST") parts.push("-H", quote(`Content-Type: ${JSON_TYPE}`), "-d", quote(JSON.stringify(body)));
  return parts.join(" ");
}
