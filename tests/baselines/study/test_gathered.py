"""What a run left is read, or refused in a paragraph that names the file."""

import pytest

from baselines.study.gathered import read_evaluated
from mllmu_med_dataset.errors import UserError

DAMAGED = {
    "half a file": ('{"seconds": 3', "can't be read"),
    "a list": ("[]", "it is wrong"),
    "no seconds": ("{}", "seconds is wrong, Field required"),
    "seconds in words": ('{"seconds": "three"}', "seconds is wrong"),
    "files in words": ('{"seconds": 3.0, "identity": "none"}', "identity is wrong"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_record_of_an_evaluation(name, tmp_path):
    text, says = DAMAGED[name]
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "evaluation.json").write_text(text)
    with pytest.raises(UserError, match=rf"evaluation.json' .*{says}.* Remove its folder"):
        read_evaluated(tmp_path)
