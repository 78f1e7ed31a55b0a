"""What follows from the words: the names of configs and of their splits."""

from mllmu_med_metrics import vocabulary


def test_every_forget_config_has_its_views_as_splits():
    assert vocabulary.splits("privacy_forget_05") == (
        "train", "paraphrase", "image_view", "blank_image", "direct", "reconstruction", "unasked",
    )  # fmt: skip
    assert vocabulary.splits("incorrectness_forget") == ("train", "paraphrase", "image_view", "blank_image")
    assert [vocabulary.splits(name) for name in ("privacy_retain_95", "incorrectness_test", "privacy_holdout")] == [
        ("train",), ("test",), ("test",),
    ]  # fmt: skip


def test_a_config_is_named_by_scenario_subset_and_percent():
    assert vocabulary.config_name("privacy", "forget") == "privacy_forget"
    assert vocabulary.config_name("privacy", "forget", 5) == "privacy_forget_05"
    assert vocabulary.config_name("privacy", "retain", 5) == "privacy_retain_95"
    assert vocabulary.config_name("privacy", "test", 5) == "privacy_test"
    assert len(vocabulary.CONFIGS) == len(set(vocabulary.CONFIGS)) == 3 * (4 + 2 * 2) + 4
