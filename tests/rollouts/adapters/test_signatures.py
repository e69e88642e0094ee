"""The adapters bind to what the trainers published, as record_signatures.py wrote it down."""

import ast
import inspect
import json
from pathlib import Path

import pytest

RECORDED = json.loads(Path(__file__).with_name("signatures.json").read_text())
ADAPTERS = Path(__file__).resolve().parents[3] / "rollouts" / "adapters"
FILES = {"openenv": "openenv_server.py", "verl": "verl_loop.py", "trl": "trl_environment.py"}
KINDS = {kind.name: kind for kind in inspect._ParameterKind}


def tree(host):
    return ast.parse((ADAPTERS / FILES[host]).read_text())


def signature(host, ending):
    (found,) = [v for k, v in RECORDED[host]["signatures"].items() if k.endswith(ending)]
    return inspect.Signature(
        [
            inspect.Parameter(
                name,
                KINDS[kind],
                default=None
                if need == "optional" and "VAR" not in kind
                else inspect.Parameter.empty,
            )
            for name, kind, need in map(str.split, found)
        ]
    )


def calls(host, name):
    """How a name is called: number of arguments by place, and names of the others."""
    for node in ast.walk(tree(host)):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else None
            called = node.func.id if isinstance(node.func, ast.Name) else called
            if called == name:
                yield len(node.args), [k.arg for k in node.keywords if k.arg is not None]


def method(host, kind, name):
    for node in ast.walk(tree(host)):
        if isinstance(node, ast.ClassDef) and node.name == kind:
            for part in node.body:
                if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and part.name == name:
                    return part
    raise AssertionError(f"{kind}.{name} is gone")


@pytest.mark.parametrize(
    ("host", "name", "ending"),
    [
        ("verl", "_assert_mm_supported", "AgentLoopBase._assert_mm_supported"),
        ("verl", "ct_build_initial_tokens", ".ct_build_initial_tokens"),
        ("verl", "ct_merge_assistant_token", ".ct_merge_assistant_token"),
        ("verl", "ct_merge_context_msg", ".ct_merge_context_msg"),
        ("verl", "generate", ".generate"),
        ("verl", "AgentLoopOutput", ":AgentLoopOutput"),
        ("verl", "simple_timer", ":simple_timer"),
        ("openenv", "create_fastapi_app", ":create_fastapi_app"),
        ("openenv", "StepResult", ":StepResult"),
    ],
)
def test_every_call_binds(host, name, ending):
    made = list(calls(host, name))
    assert made, f"{name} is no longer called"
    whole = signature(host, ending)
    # strictly: **kwargs would take a name that nobody reads any more
    named = [p for p in whole.parameters.values() if "VAR" not in p.kind.name]
    for count, names in made:
        whole.replace(parameters=named).bind_partial(*[None] * count, **dict.fromkeys(names))
    required = {
        p.name
        for p in signature(host, ending).parameters.values()
        if p.default is p.empty and p.kind.name in ("KEYWORD_ONLY",)
    }
    assert all(required <= set(names) for _, names in made)


@pytest.mark.parametrize(
    ("host", "kind", "name", "ending"),
    [
        ("verl", "EpisodeLoop", "run", "AgentLoopBase.run"),
        ("openenv", "PointingServer", "reset", "Environment.reset"),
        ("openenv", "PointingServer", "step", "Environment.step"),
        ("openenv", "PointingServer", "close", "Environment.close"),
        ("openenv", "PointingClient", "_step_payload", "._step_payload"),
        ("openenv", "PointingClient", "_parse_result", "._parse_result"),
        ("openenv", "PointingClient", "_parse_state", "._parse_state"),
    ],
)
def test_every_method_takes_what_it_is_given(host, kind, name, ending):
    own = method(host, kind, name).args
    by_place = [a.arg for a in [*own.posonlyargs, *own.args]][1:]
    wanted = signature(host, ending).parameters.values()
    assert by_place == [p.name for p in wanted if "VAR" not in p.kind.name]
    if any(p.kind.name == "VAR_KEYWORD" for p in wanted):
        assert own.kwarg is not None


def test_trl_still_takes_a_factory_and_rows_by_name():
    parameters = signature("trl", ":GRPOTrainer").parameters
    assert {"environment_factory", "reward_funcs", "train_dataset"} <= set(parameters)
    assert [p.kind.name for p in signature("trl", ".reset").parameters.values()] == ["VAR_KEYWORD"]
    reset = method("trl", "PointingEnvironment", "reset").args
    assert [a.arg for a in reset.args] == ["self"]
    assert reset.kwarg is not None
    assert all(d is not None for d in reset.kw_defaults), "a row may lack a column"


def test_verl_hands_a_loop_what_it_takes():
    own = method("verl", "EpisodeLoop", "__init__").args
    assert own.vararg is not None
    assert own.kwarg is not None
    assert "place" not in signature("verl", ":AgentLoopBase").parameters


def test_fields_of_ours_are_none_of_theirs():
    theirs = set(signature("openenv", ":Observation").parameters)
    assert theirs == {"done", "reward", "metadata"}
    assert {"token_ids", "log_probs"} <= set(signature("verl", ":TokenOutput").parameters)
