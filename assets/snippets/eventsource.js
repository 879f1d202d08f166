const response = await fetch("http://127.0.0.1:7860/jobs", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ inputs: "What is Deep Learning?", parameters: { max_new_tokens: 20 } }),
});
const job = await response.json();
if (!response.ok) throw new Error(job.error);
const source = new EventSource(`http://127.0.0.1:7860/jobs/${job.id}/events`);
source.onmessage = ({ data }) => {
  const { token, generated_text, error } = JSON.parse(data);
  console.log(error ?? token.text);
  if (generated_text !== null) source.close(); // the last one, or an error: do not reconnect
};
