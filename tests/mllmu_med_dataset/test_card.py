"""The card tells what is in the folder."""

import yaml

from mllmu_med_dataset.configs import CONFIGS
from mllmu_med_dataset.load import checksums
from mllmu_med_dataset.patients import KINDS, canary


def parts(folder):
    _, head, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def test_every_config_is_described_with_its_content_digest(built):
    head, body = parts(built)
    content = checksums(built)["content"]
    assert [entry["config_name"] for entry in head["configs"]] == list(CONFIGS)
    for entry in head["configs"]:
        (split,) = content[entry["config_name"]]
        assert content[entry["config_name"]][split]["sha256"] in entry["description"]
        assert f"| `{entry['config_name']}` | {split} | {content[entry['config_name']][split]['rows']} |" in body


def test_the_card_states_licence_kinds_canary_and_that_nobody_is_real(built):
    head, body = parts(built)
    assert head["license"] == "cc0-1.0"
    assert canary() in body and canary().startswith("MLLMU-MED-CANARY-")
    assert all(kind in body for kind in KINDS)
    assert "No identifier belongs to a real person" in body and "arXiv 2508.04192" in body
