import random, time
from huggingface_hub import InferenceClient
from huggingface_hub.errors import OverloadedError

client = InferenceClient("http://127.0.0.1:7860")
for attempt in range(8):
    try:
        tokens = client.text_generation("What is Deep Learning?", max_new_tokens=12, stream=True)
        break
    except OverloadedError as error:  # raised before the first token: nothing is printed twice
        headers = error.__cause__.response.headers
        retry_after = float(headers.get("retry-after-ms", 1000 * float(headers.get("Retry-After", 0)))) / 1000
        time.sleep(retry_after + random.uniform(0, 0.25 * 2**attempt))
else:
    raise SystemExit("The server is still overloaded: try again later.")
for token in tokens:
    print(token, end="", flush=True)
