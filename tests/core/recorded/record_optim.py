"""Records what torch.optim and torch.optim.lr_scheduler compute, for optim_test and lr_scheduler_test.

    python record_optim.py        (any Python with torch; writes optim.json and lr_schedulers.json here)

Nothing in those files was typed by hand. Gradients are the same formula here and in the tests:
element k of parameter i at step t has the gradient 0.4 * sin(1.3 t + 0.8 k + i).
"""

import json
import math
import pathlib
import warnings

import torch

warnings.filterwarnings("ignore")  # schedulers are stepped without an optimizer's step here
HERE = pathlib.Path(__file__).parent
SHAPES = [(3,), (2, 2)]
STEPS = [1, 5, 20]


def parameters():
    return [
        torch.nn.Parameter(
            torch.tensor([0.5 * math.cos(0.9 * k + 0.7 * i) for k in range(math.prod(shape))], dtype=torch.float64)
            .float()
            .reshape(shape)
        )
        for i, shape in enumerate(SHAPES)
    ]


def set_gradients(params, step):
    for i, p in enumerate(params):
        values = [0.4 * math.sin(1.3 * step + 0.8 * k + i) for k in range(p.numel())]
        p.grad = torch.tensor(values, dtype=torch.float64).float().reshape(p.shape)


def python_options(config):
    options = dict(config)
    if "beta1" in options or "beta2" in options:
        options["betas"] = (options.pop("beta1", 0.9), options.pop("beta2", 0.999))
    return options


OPTIMIZERS = [
    {"name": "SGD"},
    {"name": "SGD", "lr": 0.1, "momentum": 0.9},
    {"name": "SGD", "lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.05},
    {"name": "SGD", "lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
    {"name": "SGD", "lr": 0.05, "momentum": 0.5, "maximize": True, "weight_decay": 0.1},
    {"name": "Adam"},
    {"name": "Adam", "lr": 0.05, "weight_decay": 0.1},
    {"name": "Adam", "lr": 0.05, "beta1": 0.7, "beta2": 0.9, "eps": 1e-3},
    {"name": "Adam", "lr": 0.05, "amsgrad": True, "maximize": True},
    {"name": "AdamW"},
    {"name": "AdamW", "lr": 0.05, "weight_decay": 0.2, "beta1": 0.8},
    {"name": "AdamW", "lr": 0.05, "amsgrad": True, "maximize": True},
    {"name": "RMSprop"},
    {"name": "RMSprop", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.1},
    {"name": "RMSprop", "lr": 0.02, "centered": True, "alpha": 0.9, "eps": 1e-4},
    {"name": "RMSprop", "lr": 0.02, "centered": True, "momentum": 0.5, "maximize": True},
    {"name": "Adagrad"},
    {"name": "Adagrad", "lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.1},
    {"name": "Adagrad", "lr": 0.1, "initial_accumulator_value": 0.5, "maximize": True},
]


def record_optimizer(config):
    options = python_options({k: v for k, v in config.items() if k != "name"})
    params = parameters()
    optimizer = getattr(torch.optim, config["name"])(params, foreach=False, **options)
    after = {}
    for step in range(max(STEPS)):
        set_gradients(params, step)
        optimizer.step()
        if step + 1 in STEPS:
            after[str(step + 1)] = [p.detach().double().flatten().tolist() for p in params]
    return {"config": config, "after": after}


SGD = {"name": "SGD", "momentum": 0.7}
SCHEDULERS = [
    ({"name": "StepLR", "step_size": 3}, SGD),
    ({"name": "StepLR", "step_size": 1, "gamma": 0.5}, SGD),
    ({"name": "MultiStepLR", "milestones": [7, 2, 7], "gamma": 0.3}, SGD),
    ({"name": "ConstantLR"}, SGD),
    ({"name": "ConstantLR", "factor": 0.25, "total_iters": 3}, SGD),
    ({"name": "LinearLR"}, SGD),
    ({"name": "LinearLR", "start_factor": 0.1, "end_factor": 0.6, "total_iters": 4}, SGD),
    ({"name": "ExponentialLR", "gamma": 0.9}, SGD),
    ({"name": "PolynomialLR"}, SGD),
    ({"name": "PolynomialLR", "total_iters": 8, "power": 2.5}, SGD),
    ({"name": "CosineAnnealingLR", "T_max": 5}, SGD),
    ({"name": "CosineAnnealingLR", "T_max": 4, "eta_min": 0.003}, SGD),
    ({"name": "CosineAnnealingWarmRestarts", "T_0": 4}, SGD),
    ({"name": "CosineAnnealingWarmRestarts", "T_0": 3, "T_mult": 2, "eta_min": 0.004}, SGD),
    ({"name": "OneCycleLR", "max_lr": 0.5, "total_steps": 20}, SGD),
    ({"name": "OneCycleLR", "max_lr": [0.5, 0.3], "epochs": 5, "steps_per_epoch": 4, "anneal_strategy": "linear",
      "three_phase": True, "pct_start": 0.25, "div_factor": 10.0, "final_div_factor": 100.0}, SGD),
    ({"name": "OneCycleLR", "max_lr": 0.5, "total_steps": 20, "base_momentum": 0.6, "max_momentum": 0.9},
     {"name": "Adam"}),
    ({"name": "OneCycleLR", "max_lr": 0.5, "total_steps": 20, "cycle_momentum": False}, {"name": "Adagrad"}),
    ({"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3}, SGD),
    ({"name": "CyclicLR", "base_lr": [0.01, 0.02], "max_lr": 0.1, "step_size_up": 3, "step_size_down": 2,
      "mode": "triangular2"}, SGD),
    ({"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 2, "mode": "exp_range", "gamma": 0.95},
     {"name": "Adam"}),
    ({"name": "SWALR", "swa_lr": 0.03}, SGD),
    ({"name": "SWALR", "swa_lr": [0.03, 0.05], "anneal_epochs": 4, "anneal_strategy": "linear"}, SGD),
    ({"name": "SWALR", "swa_lr": 0.03, "anneal_epochs": 0}, SGD),
    ({"name": "SequentialLR", "schedulers": [{"name": "LinearLR", "start_factor": 0.1, "total_iters": 4},
                                             {"name": "CosineAnnealingLR", "T_max": 6},
                                             {"name": "ExponentialLR", "gamma": 0.8}], "milestones": [4, 11]}, SGD),
    ({"name": "SequentialLR", "schedulers": [{"name": "ConstantLR", "factor": 0.5, "total_iters": 20},
                                             {"name": "StepLR", "step_size": 2, "gamma": 0.5},
                                             {"name": "CosineAnnealingWarmRestarts", "T_0": 3, "T_mult": 2}],
      "milestones": [3, 9]}, SGD),
    ({"name": "SequentialLR", "schedulers": [{"name": "ExponentialLR", "gamma": 0.9},
                                             {"name": "PolynomialLR", "total_iters": 6},
                                             {"name": "MultiStepLR", "milestones": [2, 3], "gamma": 0.5}],
      "milestones": [5, 13]}, SGD),
]
CHAINS = [
    [{"name": "LinearLR", "start_factor": 0.2, "total_iters": 5}, {"name": "ExponentialLR", "gamma": 0.9}],
    [{"name": "ConstantLR", "factor": 0.1, "total_iters": 2}, {"name": "StepLR", "step_size": 4},
     {"name": "CosineAnnealingLR", "T_max": 10}],
]
PLATEAUS = [
    {"name": "ReduceLROnPlateau", "patience": 1},
    {"name": "ReduceLROnPlateau", "patience": 0, "factor": 0.5, "cooldown": 2, "min_lr": [0.02, 0.004]},
    {"name": "ReduceLROnPlateau", "mode": "max", "patience": 1, "threshold": 0.05, "threshold_mode": "abs"},
    {"name": "ReduceLROnPlateau", "mode": "max", "patience": 2, "threshold": 0.1},
    {"name": "ReduceLROnPlateau", "patience": 0, "factor": 0.1, "eps": 0.01},
]
METRICS = [1.0, 0.9, 0.95, 0.96, 0.89, 0.8, 0.8, 0.79999, 0.85, 0.85, 0.5, 0.6, float("nan"), 0.7, 0.45, 0.44, 0.6,
           0.6, 0.6, 0.6]


def make_optimizer(config):
    first, second = parameters()
    options = {k: v for k, v in config.items() if k != "name"}
    groups = [{"params": [first], "lr": 0.1}, {"params": [second], "lr": 0.02}]
    return getattr(torch.optim, config["name"])(groups, **options)


def make_scheduler(config, optimizer):
    options = {k: v for k, v in config.items() if k != "name"}
    if "schedulers" in options:
        options["schedulers"] = [make_scheduler(c, optimizer) for c in options["schedulers"]]
    where = torch.optim.swa_utils if config["name"] == "SWALR" else torch.optim.lr_scheduler
    return getattr(where, config["name"])(optimizer, **options)


def momentum(group):
    return group["betas"][0] if "betas" in group else group.get("momentum", 0.0)


def record_schedule(schedulers, optimizer, metrics=None):
    lrs, momenta = [], []
    for step in range(21):
        lrs.append([group["lr"] for group in optimizer.param_groups])
        momenta.append([momentum(group) for group in optimizer.param_groups])
        if step == 20:
            break
        for scheduler in schedulers:
            scheduler.step(*([] if metrics is None else [metrics[step]]))
    return {"lr": lrs, "momentum": momenta}


def main():
    source = f"torch {torch.__version__}"
    optim = {"source": source + ", torch.optim", "cases": [record_optimizer(c) for c in OPTIMIZERS]}

    cases = []
    for config, optimizer_config in SCHEDULERS:
        optimizer = make_optimizer(optimizer_config)
        recorded = record_schedule([make_scheduler(config, optimizer)], optimizer)
        cases.append({"schedulers": [config], "optimizer": optimizer_config, **recorded})
    for chain in CHAINS:
        optimizer = make_optimizer(SGD)
        recorded = record_schedule([make_scheduler(c, optimizer) for c in chain], optimizer)
        cases.append({"schedulers": chain, "optimizer": SGD, **recorded})
    for config in PLATEAUS:
        optimizer = make_optimizer(SGD)
        recorded = record_schedule([make_scheduler(config, optimizer)], optimizer, METRICS)
        metrics = ["nan" if math.isnan(m) else m for m in METRICS]
        cases.append({"schedulers": [config], "optimizer": SGD, "metrics": metrics, **recorded})
    schedulers = {"source": source + ", torch.optim.lr_scheduler", "cases": cases}

    for name, recording in (("optim", optim), ("lr_schedulers", schedulers)):
        lines = ",\n".join(json.dumps(case) for case in recording["cases"])
        text = f'{{"source": {json.dumps(recording["source"])}, "cases": [\n{lines}\n]}}\n'
        (HERE / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main()
