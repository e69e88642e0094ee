"""Write down the signatures of a trainer that an adapter binds to: signatures.json.

    .adapters/trl/bin/python tests/rollouts/adapters/record_signatures.py trl

runs in the trainer's own environment (`hosts.py --record` does it for all). `test_signatures`
binds the adapters' calls and methods to what stands there, without the trainers.
"""

import dataclasses
import importlib
import importlib.metadata
import inspect
import json
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("signatures.json")
LOOP = "verl.experimental.agent_loop.agent_loop"
SERVER = "openenv.core.env_server"
BOUND: dict[str, tuple[str, ...]] = {
    "trl": (
        "trl:GRPOTrainer",
        "trl.trainer.grpo_trainer:_SupportsReset.reset",
    ),
    "openenv": (
        f"{SERVER}.interfaces:Environment",
        f"{SERVER}.interfaces:Environment.reset",
        f"{SERVER}.interfaces:Environment.step",
        f"{SERVER}.interfaces:Environment.close",
        f"{SERVER}.http_server:create_fastapi_app",
        f"{SERVER}.types:Action",
        f"{SERVER}.types:Observation",
        f"{SERVER}.types:State",
        "openenv.core.client_types:StepResult",
        "openenv.core.env_client:EnvClient",
        "openenv.core.env_client:EnvClient._step_payload",
        "openenv.core.env_client:EnvClient._parse_result",
        "openenv.core.env_client:EnvClient._parse_state",
    ),
    "verl": (
        f"{LOOP}:AgentLoopBase",
        f"{LOOP}:AgentLoopBase.run",
        f"{LOOP}:AgentLoopBase._assert_mm_supported",
        f"{LOOP}:AgentLoopBase.ct_build_initial_tokens",
        f"{LOOP}:AgentLoopBase.ct_merge_assistant_token",
        f"{LOOP}:AgentLoopBase.ct_merge_context_msg",
        f"{LOOP}:AgentLoopOutput",
        f"{LOOP}:AgentLoopMetrics",
        "verl.workers.rollout.llm_server:LLMServerClient.generate",
        "verl.workers.rollout.replica:TokenOutput",
        "verl.utils.profiler:simple_timer",
        "verl.utils.reward_score:default_compute_score",
        "verl.utils.dataset.rl_dataset:RLHFDataset",
    ),
}


def main(name: str) -> None:
    recorded = json.loads(FILE.read_text()) if FILE.exists() else {}
    recorded[name] = {
        "version": importlib.metadata.version(name),
        "signatures": {where: described(where) for where in BOUND[name]},
    }
    FILE.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


def described(where: str) -> list[str]:
    """Name, kind, and "required" or "optional", of each parameter but self."""
    module, _, path = where.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    if hasattr(found, "model_fields"):  # pydantic: what its constructor takes
        return [
            f"{n} KEYWORD_ONLY {'required' if f.is_required() else 'optional'}"
            for n, f in found.model_fields.items()
        ]
    if dataclasses.is_dataclass(found) or inspect.isclass(found):
        parameters = list(inspect.signature(found.__init__).parameters.values())[1:]
    else:
        parameters = list(inspect.signature(found).parameters.values())
        parameters = [p for p in parameters if p.name not in ("self", "cls")]
    return [
        f"{p.name} {p.kind.name} {'required' if p.default is p.empty else 'optional'}"
        for p in parameters
    ]


if __name__ == "__main__":
    main(sys.argv[1])
