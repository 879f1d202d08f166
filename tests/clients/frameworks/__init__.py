"""Programs with LangChain, LlamaIndex and LiteLLM, each run by its own Python; a test reads what they print."""
