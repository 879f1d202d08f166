from huggingface_hub import InferenceClient

client = InferenceClient("http://127.0.0.1:7860")
messages = [{"role": "user", "content": "How do you make cheese?"}]
for chunk in client.chat_completion(messages, max_tokens=20, temperature=0, stream=True):
    print(chunk.choices[0].delta.content, end="", flush=True)
