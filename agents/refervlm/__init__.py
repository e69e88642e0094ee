"""ReferVLM: RoboRefer's architecture (arXiv 2506.04308, section 3.1) as a `transformers` model.

Importing this registers it with AutoConfig, AutoModelForImageTextToText and AutoProcessor.
"""

from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor

from refergym.agents.refervlm.configuration import ConvTowerConfig, ReferVLMConfig
from refergym.agents.refervlm.modeling import ReferVLMForConditionalGeneration
from refergym.agents.refervlm.processing import ReferVLMProcessor
from refergym.agents.refervlm.towers import ConvTowerModel

AutoConfig.register(ConvTowerConfig.model_type, ConvTowerConfig, exist_ok=True)
AutoModel.register(ConvTowerConfig, ConvTowerModel, exist_ok=True)
AutoConfig.register(ReferVLMConfig.model_type, ReferVLMConfig, exist_ok=True)
AutoModelForImageTextToText.register(
    ReferVLMConfig, ReferVLMForConditionalGeneration, exist_ok=True
)
AutoProcessor.register(ReferVLMConfig, ReferVLMProcessor, exist_ok=True)

__all__ = [
    "ConvTowerConfig",
    "ConvTowerModel",
    "ReferVLMConfig",
    "ReferVLMForConditionalGeneration",
    "ReferVLMProcessor",
]
