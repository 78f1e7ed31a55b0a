"""NPO + SAM: NPO whose forget gradient is taken at the nearby weights that remember most, so that it lasts."""

from baselines.methods import npo
from baselines.methods.method import Method, Option

METHOD = Method(
    name="npo_sam",
    title="Sharpness-aware NPO",
    paper="Fan et al. 2025, arXiv 2502.05374, on the weights of an adapter (our adaptation)",
    objective="max over ||d|| <= rho of npo(forget; weights + d) + retain_weight nll(retain; weights)",
    roles=npo.METHOD.roles,
    reference_roles=npo.METHOD.reference_roles,
    terms=npo.METHOD.terms,
    loss=npo.loss,
    options={
        **npo.METHOD.options,
        "rho": Option(0.01, 0.0, 100.0, "the published runs' radius, of all weights"),
    },
    sharpened="forget_npo",
)
