import { InferenceClient } from "@huggingface/inference";
const client = new InferenceClient("hf_YOUR_TOKEN", { endpointUrl: "http://127.0.0.1:7860" });
const messages = [{ role: "user", content: "How do you make cheese?" }];
for await (const chunk of client.chatCompletionStream({ messages, max_tokens: 20, temperature: 0 })) {
  process.stdout.write(chunk.choices[0].delta.content);
}
