// What the AI SDK makes of a server's replies: `node ask_ai_sdk.mjs PLAN` prints it as one JSON document.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, streamText } from "ai";

const plan = JSON.parse(process.argv[2]);
const open = (where) =>
  createOpenAICompatible({ name: "this", baseURL: `${where}/v1`, apiKey: "none", includeUsage: true });
const [served, busy] = [open(plan.url), open(plan.busy)];
const asked = { model: served("any"), maxOutputTokens: plan.tokens, temperature: 0 };

const whole = await generateText({ ...asked, prompt: plan.question });
const stream = streamText({ ...asked, prompt: plan.question });
const pieces = await collect(stream.textStream);
const stopped = await generateText({ ...asked, prompt: plan.question, stopSequences: [plan.stop] });
const conversed = await generateText({ ...asked, messages: plan.conversation, allowSystemInMessages: true });
const completed = [];
for (const prompt of plan.prompts) {
  completed.push((await generateText({ ...asked, model: served.completionModel("any"), prompt })).text);
}

console.log(
  JSON.stringify({
    whole: whole.text,
    finish: whole.finishReason,
    usage: listUsage(whole.usage),
    pieces,
    streamed_usage: listUsage(await stream.usage),
    stopped: stopped.text,
    conversation: conversed.text,
    completed,
    ...(await askInVain()),
  }),
);

async function collect(stream) {
  const found = [];
  for await (const piece of stream) found.push(piece);
  return found;
}

function listUsage(usage) {
  return [usage.inputTokens, usage.outputTokens];
}

async function askInVain() {
  const found = {};
  try {
    await generateText({ ...asked, prompt: plan.long });
  } catch (error) {
    if (APICallError.isInstance(error) && !error.isRetryable) found.too_long = `${error.message} ${error.responseBody}`;
  }
  found.retried = (await generateText({ ...asked, model: busy("any"), prompt: "AI SDK, patient" })).text;
  try {
    await generateText({ ...asked, model: busy("any"), prompt: "AI SDK, impatient", maxRetries: 0 });
  } catch (error) {
    if (APICallError.isInstance(error) && error.isRetryable) found.refused = error.responseHeaders["retry-after-ms"];
  }
  return found;
}
