import asyncio
from huggingface_hub import AsyncInferenceClient


async def main():
    async with AsyncInferenceClient("http://127.0.0.1:7860") as client:
        async for token in await client.text_generation("How do you make cheese?", stream=True):
            print(token)


asyncio.run(main())
