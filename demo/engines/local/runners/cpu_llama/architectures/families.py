"""All families that the CPU kernels compute."""

from typing import Final

from demo.engines.local.runners.cpu_llama.architectures.architecture import Architecture
from demo.engines.local.runners.cpu_llama.architectures.gemma3 import GEMMA_3
from demo.engines.local.runners.cpu_llama.architectures.llama import LLAMA, MISTRAL
from demo.engines.local.runners.cpu_llama.architectures.phi import PHI_3
from demo.engines.local.runners.cpu_llama.architectures.qwen import QWEN_2, QWEN_3
from demo.engines.local.runners.cpu_llama.architectures.smollm3 import SMOLLM_3

FAMILIES: Final = (LLAMA, MISTRAL, QWEN_2, QWEN_3, SMOLLM_3, GEMMA_3, PHI_3)
BY_GGUF: Final[dict[str, Architecture]] = {each.gguf: each for each in reversed(FAMILIES)}
BY_MODEL_TYPE: Final[dict[str, Architecture]] = {each.model_type: each for each in FAMILIES}
