"""JensUn: pull the forget questions to a refusal by a bounded divergence, also from inside the forgotten answer."""

from collections.abc import Mapping

import torch
from torch import Tensor

from baselines.losses import IGNORED, js, js_to_tokens
from baselines.methods.method import Answers, Method, Option, declared


def loss(answers: Mapping[str, Answers], options: Mapping[str, float]) -> dict[str, Tensor]:
    """Return w_f (JSD(refusal || p) + w_p JSD(its start || p along the forgotten answer)) and w_r JSD(p_target || p).

    JensUn is w_f JSD(tokens of a refusal || p)(forget) + w_r JSD(p_target || p)(retain). JensUn++ asks for a whole
    refusal, and for its first token at every position of a sampled prefix of the forgotten answer; here the prefix is
    the whole answer, so that nothing is drawn inside a step. Its rescaling of the gradients' norms is left out.
    """
    refusal, forget, retain = answers["forget_idk"], answers["forget"], answers["retain"]
    start = refusal.labels.gather(1, (refusal.labels != IGNORED).int().argmax(1, keepdim=True))
    turned = torch.where(forget.labels == IGNORED, IGNORED, start)
    turning = options["prefix_weight"] * js_to_tokens(forget.logits, turned)
    return {
        "refusal_jsd": options["forget_weight"] * (js_to_tokens(refusal.logits, refusal.labels) + turning),
        "retain_jsd": options["retain_weight"] * js(declared(retain.reference), retain.logits, retain.labels),
    }


METHOD = Method(
    name="jensun",
    title="Jensen-Shannon divergence to a refusal",
    paper="Singh et al. 2025, arXiv 2509.02820; refusals and prefixes of JensUn++, Peleg et al. 2026, arXiv 2607.09236",
    objective="forget_weight (JSD(refusal || p)(forget question) + prefix_weight JSD(refusal's start || p)(forgotten"
    " answer)) + retain_weight JSD(p_target || p)(retain)",
    roles=("forget_idk", "forget", "retain"),
    reference_roles=("retain",),
    terms={"refusal_jsd": "preferred", "retain_jsd": "closer to the reference"},
    loss=loss,
    options={
        "forget_weight": Option(1.0, 0.0, 100.0, "the published code adds the terms unweighted"),
        "prefix_weight": Option(1.0, 0.0, 100.0, "JensUn++ treats a prefix as it does the refusal; 0 is JensUn"),
        "retain_weight": Option(1.0, 0.0, 100.0, "the published code adds the terms unweighted"),
        "distinct_refusals": Option(1, 1, 100, "both papers have one refusal for a model", whole=True),
    },
)
