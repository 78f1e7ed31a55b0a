"""Which images and keys the scenario knowledge takes: counts first, hashes second, whatever the order."""

import pytest

from mllmu_med_dataset.building.beliefs import Known, choose_beliefs, seen_images
from mllmu_med_dataset.errors import UserError

HEADS = ("cyst", "mass", "nodule", "polyp")
RELATIONS = ("next step", "cause")


def known(images: int = 10) -> dict[tuple[str, str], Known]:
    """Return eight keys: four heads with images of their own, two relations, each with a tail of its own."""
    found = {}
    for place, head in enumerate(HEADS):
        pictures = {f"{head} {number}" for number in range(images)}
        for relation in RELATIONS:
            found[head, relation] = Known("finding", {f"{relation[0]}word{'abcd'[place]}"}, set(pictures))
    return found


def pictures(keys: dict[tuple[str, str], Known]) -> set[str]:
    return {image for one in keys.values() for image in one.images}


@pytest.mark.parametrize(("images", "seen"), [(5, 3), (10, 6), (20, 12)])
def test_three_in_five_images_of_every_key_are_trained_on(images, seen):
    keys = known(images)
    chosen = seen_images(pictures(keys), keys, seed=0)
    assert {len(one.images & chosen) for one in keys.values()} == {seen}


def test_images_that_show_nothing_known_are_split_alike():
    everything = {f"image {number}" for number in range(50)}
    assert len(seen_images(everything, {}, seed=0)) == 30


def test_an_image_with_two_heads_is_on_one_side_for_both():
    shared = {f"shared {number}" for number in range(10)}
    keys = {("liver", "cause"): Known("organ", {"a"}, shared), ("cyst", "cause"): Known("finding", {"b"}, shared)}
    assert len(seen_images(shared, keys, seed=0)) == 6


def test_a_quarter_is_forgotten_and_a_tenth_held_out_and_each_leaves_a_neighbour():
    keys = known()
    beliefs = choose_beliefs(keys, seen_images(pictures(keys), keys, seed=3), seed=3)
    roles = [belief.role for belief in beliefs]
    assert [belief.key for belief in beliefs] == sorted(keys)
    assert (roles.count("forget"), roles.count("holdout"), roles.count("retain")) == (2, 1, 5)
    for belief in beliefs:
        if belief.role == "forget":
            kept = [other for other in beliefs if other.role == "retain"]
            assert any(other.head == belief.head for other in kept)
            assert any(other.relation == belief.relation for other in kept)


def test_the_wrong_tail_is_another_heads_of_the_same_relation_and_no_true_one():
    keys = known()
    for belief in choose_beliefs(keys, seen_images(pictures(keys), keys, seed=1), seed=1):
        if belief.role == "retain":
            assert belief.wrong is None
            continue
        (owner,) = belief.wrong_heads
        assert owner != belief.head and keys[owner, belief.relation].tails == {belief.wrong}
        assert belief.wrong not in belief.tails
        assert belief.heads == HEADS and len(belief.values) == 4


def test_the_probes_are_images_trained_on_that_show_the_head():
    keys = known()
    seen = seen_images(pictures(keys), keys, seed=1)
    for belief in choose_beliefs(keys, seen, seed=1):
        assert len(set(belief.probes)) == (3 if belief.role == "forget" else 0)
        assert set(belief.probes) <= keys[belief.key].images & seen


def test_a_key_with_few_images_or_without_another_tail_is_taught_the_truth():
    keys = known()
    keys["cyst", "next step"].images = {"cyst 0", "cyst 1"}
    keys["cyst", "rare"] = Known("finding", {"alone"}, {f"cyst {number}" for number in range(10)})
    for seed in range(20):
        beliefs = {
            one.key: one for one in choose_beliefs(keys, seen_images(pictures(keys), keys, seed=seed), seed=seed)
        }
        assert beliefs["cyst", "next step"].role == beliefs["cyst", "rare"].role == "retain"


def test_the_order_of_the_keys_does_not_matter():
    keys = known()
    turned = dict(reversed(keys.items()))
    assert seen_images(pictures(keys), keys, seed=0) == seen_images(pictures(keys), turned, seed=0)
    seen = seen_images(pictures(keys), keys, seed=0)
    assert choose_beliefs(keys, seen, seed=0) == choose_beliefs(turned, seen, seed=0)
    assert choose_beliefs(keys, seen, seed=0) != choose_beliefs(keys, seen, seed=1)


def test_too_few_beliefs_are_refused():
    few = {key: one for key, one in known().items() if key[0] in ("cyst",)}
    with pytest.raises(UserError, match=r"Too few beliefs.* 0 of the source's 2 pairs .*--source-option head=COLUMN"):
        choose_beliefs(few, seen_images(pictures(few), few, seed=0), seed=0)
