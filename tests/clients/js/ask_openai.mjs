// What OpenAI's client makes of a server's replies, in Node and on a page: `node ask_openai.mjs PLAN` prints it.
import OpenAI, { BadRequestError, RateLimitError } from "openai";

export async function ask(plan) {
  const open = (where, more) =>
    new OpenAI({ baseURL: `${where}/v1`, apiKey: "none", dangerouslyAllowBrowser: true, ...more });
  const client = open(plan.url);
  const asked = { model: "any", max_tokens: plan.tokens, temperature: 0 };
  const question = [{ role: "user", content: plan.question }];
  const chat = (messages, more, by = client) => by.chat.completions.create({ ...asked, messages, ...more });

  const whole = await chat(question);
  const pieces = [];
  let usage;
  for await (const chunk of await chat(question, { stream: true, stream_options: { include_usage: true } })) {
    pieces.push(...chunk.choices.map((choice) => choice.delta.content).filter(Boolean));
    usage = chunk.usage ?? usage;
  }
  const helped = await client.chat.completions.stream({ ...asked, messages: question }).finalMessage();
  const stopped = await chat(question, { stop: [plan.stop] });
  const completed = await client.completions.create({ ...asked, prompt: plan.prompts });
  return {
    whole: whole.choices[0].message.content,
    finish: whole.choices[0].finish_reason,
    usage: listUsage(whole.usage),
    pieces,
    streamed_usage: listUsage(usage),
    stopped: stopped.choices[0].message.content,
    conversation: (await chat(plan.conversation)).choices[0].message.content,
    completed: completed.choices.map((choice) => choice.text),
    helped: { role: helped.role, content: helped.content },
    responses: await respond(client, plan),
    request_id: whole._request_id,
    ...(await askInVain(chat, open, plan)),
  };
}

const listUsage = (usage) => [usage.prompt_tokens, usage.completion_tokens];

async function respond(client, plan) {
  const asked = { model: "any", input: plan.question, max_output_tokens: plan.tokens, temperature: 0 };
  let streamed = "";
  for await (const event of await client.responses.create({ ...asked, stream: true })) {
    if (event.type === "response.output_text.delta") streamed += event.delta;
  }
  return [(await client.responses.create(asked)).output_text, streamed];
}

async function askInVain(chat, open, plan) {
  const found = {};
  try {
    await chat([{ role: "user", content: plan.long }]);
  } catch (error) {
    if (error instanceof BadRequestError) found.too_long = `${error.code}: ${error.message}`;
  }
  const where = plan.page ? "a page" : "Node";
  const retried = await chat([{ role: "user", content: `${where}, patient` }], {}, open(plan.busy));
  found.retried = retried.choices[0].message.content;
  try {
    await chat([{ role: "user", content: `${where}, impatient` }], {}, open(plan.busy, { maxRetries: 0 }));
  } catch (error) {
    if (error instanceof RateLimitError) found.refused = error.headers.get("retry-after-ms");
  }
  return found;
}

if (globalThis.process) console.log(JSON.stringify(await ask(JSON.parse(process.argv[2]))));
