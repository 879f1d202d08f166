import time
import httpx

with httpx.Client(base_url="http://127.0.0.1:7860") as client:
    asked = {"inputs": "What is Deep Learning?", "parameters": {"max_new_tokens": 20}}
    job = client.post("/jobs", json=asked).json()
    while job["state"] in ("queued", "running"):
        reply = client.get(f"/jobs/{job['id']}", params={"since": job["next"]})
        job = reply.json()
        print("".join(token["text"] for token in job["tokens"]), end="", flush=True)
        time.sleep(float(reply.headers.get("Retry-After", 0)))
