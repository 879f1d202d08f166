const response = await fetch("http://127.0.0.1:7860/generate_stream", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ inputs: "What is Deep Learning?", parameters: { max_new_tokens: 20 } }),
});
if (!response.ok) throw new Error((await response.json()).error);
const [reader, decoder] = [response.body.getReader(), new TextDecoder()];
let [text, rest] = ["", ""];
for (let read = await reader.read(); !read.done; read = await reader.read()) {
  const events = (rest + decoder.decode(read.value, { stream: true })).split("\n\n");
  rest = events.pop(); // the beginning of the next one
  for (const event of events.filter((event) => event.startsWith("data:"))) {
    const { token, error } = JSON.parse(event.slice("data:".length));
    if (error) throw new Error(error);
    console.log((text += token.text));
  }
}
