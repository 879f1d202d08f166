// What the next round is to be: its kind, question, length and speed, as the teacher chooses them.

const ORDER = ["race", "predict", "stop", "crowd"];
// Tokens and tokens/s: long enough to feel, and slow enough that a model of any speed keeps up.
const DEFAULTS = { race: ["120", "20"], predict: ["120", "20"], stop: ["240", "15"], crowd: ["60", "20"] };

// {read(): the body of POST /rounds, choose(rounds): the kind that follows so many rounds}
export function bindPlan(find, { prompts }) {
  const kinds = [...find("kinds").querySelectorAll("input")];
  const kindOf = () => kinds.find(({ checked }) => checked).value;
  const show = () => {
    const kind = kindOf();
    const isOwn = find("prompt").value && !Object.values(prompts).includes(find("prompt").value);
    if (!isOwn) find("prompt").value = prompts[kind];
    [find("tokens").value, find("speed").value] = DEFAULTS[kind];
    find("limited").hidden = kind !== "crowd";
  };
  for (const input of kinds) input.addEventListener("change", show);
  show();
  return {
    read() {
      const [pace, limit] = [find("speed").value, find("limit").value];
      const body = { kind: kindOf(), prompt: find("prompt").value, max_new_tokens: Number(find("tokens").value) };
      if (pace) body.tokens_per_second = Number(pace);
      if (body.kind === "crowd" && limit) body.limit = Number(limit);
      return body;
    },
    choose(rounds) {
      kinds[rounds % ORDER.length].checked = true;
      show();
    },
  };
}
