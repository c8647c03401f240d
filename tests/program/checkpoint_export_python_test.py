"""Reads what `grapnel checkpoint export` writes with the Python package safetensors, and with PyTorch where this Python
has it: both share no code with grapnel.

    checkpoint_export_python_test.py GRAPNEL FROZEN ENVIRONMENT

FROZEN has the checkpoints to export, ENVIRONMENT is a directory for a virtual environment, made once and kept. Exits
with 77 (skipped) when the packages can't be had.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "core" / "checkpoints"))
BYTES = {"F32": 4, "F64": 8}


def model_tensors(path):
    """Names in the model and values, of float tensors; pruned ones as torch.nn.utils.prune.remove() leaves them."""
    import numpy
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        document = json.loads(file.metadata()["grapnel"])
        weights = document["checkpoint"]["state_dict"]
        if any(file.get_slice(reference["$tensor"]).get_dtype() not in BYTES for reference in weights.values()):
            return None  # numpy has no bfloat16
        values = {name: file.get_tensor(reference["$tensor"]) for name, reference in weights.items()}
    for name in [name for name in values if name.endswith("_orig") and name[:-5] + "_mask" in values]:
        values[name[:-5]] = values.pop(name) * values.pop(name[:-5] + "_mask")
    return {name: numpy.ascontiguousarray(value) for name, value in values.items()}


def check(checkpoint, exported):
    import numpy
    from safetensors.numpy import load_file

    expected = model_tensors(checkpoint)
    if expected is None:
        return False
    found = load_file(exported)
    assert set(found) == set(expected), (checkpoint, set(found) ^ set(expected))
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape, name
        assert found[name].tobytes() == value.tobytes(), (checkpoint, name)
    try:
        import torch
        from safetensors.torch import load_file as load_tensors
    except ImportError:
        return True
    holder = torch.nn.Module()
    for name, value in expected.items():
        part = holder
        for key in name.split(".")[:-1]:
            if not hasattr(part, key):
                part.add_module(key, torch.nn.Module())
            part = getattr(part, key)
        part.register_parameter(name.split(".")[-1], torch.nn.Parameter(torch.zeros(value.shape), requires_grad=False))
    holder.load_state_dict(load_tensors(exported))
    for name, value in holder.state_dict().items():
        assert numpy.array_equal(value.numpy(), expected[name]), name
    print(f"PyTorch {torch.__version__} loads {pathlib.Path(checkpoint).stem}")
    return True


def main():
    if sys.argv[1] == "--check":
        sys.exit(0 if check(sys.argv[2], sys.argv[3]) else 3)
    from python_safetensors_test import environment_python

    grapnel, frozen, environment = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    python = environment_python(environment)
    read = 0
    with tempfile.TemporaryDirectory() as directory:
        for checkpoint in sorted(frozen.glob("*.ckpt")):
            exported = pathlib.Path(directory) / (checkpoint.stem + ".safetensors")
            result = subprocess.run([grapnel, "checkpoint", "export", str(checkpoint), "-o", str(exported)])
            if result.returncode != 0:
                continue  # of something else than a model
            result = subprocess.run([str(python), __file__, "--check", str(checkpoint), str(exported)])
            assert result.returncode in (0, 3), checkpoint
            read += result.returncode == 0
    assert read >= 4, read
    print(f"the Python package reads {read} exports")


if __name__ == "__main__":
    main()
