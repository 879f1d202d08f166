from huggingface_hub import InferenceClient

client = InferenceClient("http://127.0.0.1:7860")
for token in client.text_generation("How do you make cheese?", max_new_tokens=12, stream=True):
    print(token)
