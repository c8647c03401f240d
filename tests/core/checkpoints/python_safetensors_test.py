"""Reads a checkpoint with the Python packages safetensors and numpy, which share no code with grapnel.

    python_safetensors_test.py WRITER ENVIRONMENT

WRITER is the program that writes the checkpoint, ENVIRONMENT a directory for a virtual environment, made once and
kept. Exits with 77 (skipped) when the packages can't be had.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def environment_python(directory):
    """The interpreter of an environment that has both packages."""
    python = directory / "bin" / "python"
    probe = [str(python), "-c", "import safetensors.numpy, numpy"]
    if python.exists() and subprocess.run(probe, capture_output=True).returncode == 0:
        return python
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], capture_output=True, text=True)
    if made.returncode != 0:
        skip(f"python -m venv does not work here (on Debian: apt install python3-venv): {made.stdout[-300:]}")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "20", "safetensors", "numpy"]
    installed = subprocess.run(pip, capture_output=True, text=True)
    if installed.returncode != 0:
        skip(f"pip can't install safetensors and numpy (no network?): {installed.stderr[-300:]}")
    return python


def check(path):
    import numpy
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
        names = set(file.keys())
        document = json.loads(metadata["grapnel"])
        keys = document["callback_keys"]
        ema = keys.index("org.example.ema/ema/decay=0.99 \U0001f419")
        numbers = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
        expected = {
            "model.layer.weight": numbers.T,
            "model.layer.bias": numpy.array(2.5),
            "model.counts": numpy.array([-1, 7]),
            "model.mask": numpy.array([True, False, True]),
            "model.half": numbers.astype(numpy.float16),
            "model.bytes": numpy.array([0, 255], dtype=numpy.uint8),
            "model.nothing": numpy.empty((0, 4), dtype=numpy.float32),
            "optimizers.0.state.0.exp_avg": numbers,
            f"callbacks.{ema}.average.layer.weight": numbers * numpy.float32(0.5),
            "rng.cpu": numpy.array([1, 2, 3], dtype=numpy.uint8),
        }
        assert names == {*expected, "model.brain", "grapnel.header_sha256"}, names
        for name, value in expected.items():
            found = file.get_tensor(name)
            assert found.dtype == value.dtype and found.shape == value.shape, (name, found.dtype, found.shape)
            assert numpy.array_equal(found, value), (name, found)
        brain = file.get_slice("model.brain")
        assert brain.get_dtype() == "BF16" and list(brain.get_shape()) == [2, 3]
        digest = bytes(file.get_tensor("grapnel.header_sha256"))

    checkpoint = document["checkpoint"]
    assert document["format_version"] == 1
    assert checkpoint["epoch"] == 3 and checkpoint["best"] == {"$number": "nan"}
    assert checkpoint["callbacks"][keys[ema]]["updates"] == 5
    assert checkpoint["callbacks"]["EarlyStopping{'monitor': 'val.loss'}"] == {"wait_count": 2}
    reference = checkpoint["callbacks"][keys[ema]]["average"]["layer.weight"]
    assert reference == {"$tensor": f"callbacks.{ema}.average.layer.weight"}, reference

    content = pathlib.Path(path).read_bytes()
    header = content[: 8 + int.from_bytes(content[:8], "little")]
    assert content.endswith(digest) and hashlib.sha256(header).digest() == digest


def main():
    if sys.argv[1] == "--check":
        check(sys.argv[2])
        print("the Python package reads the checkpoint")
        return
    writer, environment = sys.argv[1], pathlib.Path(sys.argv[2])
    python = environment_python(environment)
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "example.ckpt"
        subprocess.run([writer, str(path)], check=True)
        subprocess.run([str(python), __file__, "--check", str(path)], check=True)


if __name__ == "__main__":
    main()
