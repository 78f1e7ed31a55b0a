"""NPO under latent attack: forget although somebody moves the hidden states to where the answer comes back."""

from baselines.methods import npo
from baselines.methods.method import Method, Option

METHOD = Method(
    name="npo_lat",
    title="NPO under a latent attack",
    paper="Sheshadri et al. 2024, arXiv 2407.15549; with NPO as AdvNPO, Yuan et al. 2024, arXiv 2408.10682",
    objective="npo(forget; h + d) + retain_weight nll(retain), d = argmin over ||d|| <= epsilon ||h|| of"
    " nll(forget; h + d), h after one layer",
    roles=npo.METHOD.roles,
    reference_roles=npo.METHOD.reference_roles,
    terms=npo.METHOD.terms,
    loss=npo.loss,
    options={
        **npo.METHOD.options,
        "layer_share": Option(7 / 32, 0.0, 1.0, "the published runs against WMDP attack layer 7 of 32"),
        "epsilon": Option(0.1, 0.0, 10.0, "a share of each state's norm: the published 2 suits one model's layer"),
        "attack_steps": Option(16, 1, 100, "the published runs' steps of projected gradient descent", whole=True),
    },
    attacked_roles=("forget",),
)
