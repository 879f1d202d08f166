from typing import Any

import pytest

from demo.api.routes.inspection import write_info
from demo.bench.software import LLAMA_SERVER, OURS, TGI, UNKNOWN, VLLM, Software, recognise_software
from tests.scripted import ScriptedEngine


@pytest.mark.parametrize(
    ("replies", "software"),
    [
        ({"/info": {"model_id": "m", "version": "0.4", "router": "token-streaming"}}, OURS),
        ({"/info": {"model_id": "m", "version": "3.3.4", "router": "text-generation-router"}}, TGI),
        ({"/props": {"build_info": "b9999-abc"}}, LLAMA_SERVER),
        ({"/version": {"version": "0.32.0"}}, VLLM),
        ({"/version": ["0.32.0"], "/props": {"build_info": ""}}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_a_server_is_recognised_by_its_replies(replies: dict[str, Any], software: Software) -> None:
    found, version = recognise_software(replies.get)
    assert found is software
    assert (version == "—") == (software is UNKNOWN)


def test_this_projects_own_info_is_recognised() -> None:
    found, _ = recognise_software({"/info": write_info(ScriptedEngine())}.get)
    assert found is OURS


def test_each_software_has_its_own_cache_parameters_and_an_unknown_one_none() -> None:
    assert OURS.write_cache_parameters() == LLAMA_SERVER.write_cache_parameters() == {"cache_prompt": False}
    assert TGI.write_cache_parameters() == UNKNOWN.write_cache_parameters() == {}


def test_no_two_requests_have_the_same_salt() -> None:
    salts = [VLLM.write_cache_parameters()["cache_salt"] for _ in range(3)]
    assert len(set(salts)) == 3
    assert all(salts)
