import json, time, uuid
import httpx

inbox = f"/webhooks/inbox/{uuid.uuid4()}"
with httpx.Client(base_url="http://127.0.0.1:7860") as client:
    asked = {"inputs": "What is Deep Learning?", "parameters": {"max_new_tokens": 20}}
    client.post("/jobs", json={**asked, "webhook_url": inbox}).raise_for_status()
    while not (deliveries := client.get(inbox).json()["deliveries"]):
        time.sleep(0.1)
    print(json.loads(deliveries[0]["body"])["data"]["generated_text"])
