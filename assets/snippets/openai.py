from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:7860/v1", api_key="-")
messages = [{"role": "user", "content": "How do you make cheese?"}]
for chunk in client.chat.completions.create(
    model="tgi", messages=messages, max_tokens=20, temperature=0, stream=True, stream_options={"include_usage": True}
):
    for choice in chunk.choices:
        print(choice.delta.content, end="", flush=True)
print(f"\n{chunk.usage.completion_tokens} tokens")
