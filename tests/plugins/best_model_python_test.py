"""Reads what best_model_exporter writes with the Python package safetensors, which shares no code with it.

    best_model_python_test.py WRITER ENVIRONMENT

WRITER is the program that writes the file, ENVIRONMENT a directory for a virtual environment, made once and kept.
Exits with 77 (skipped) when the packages can't be had.
"""

import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "core" / "checkpoints"))


def check(path):
    import numpy
    from safetensors import safe_open

    expected = {
        "layer.weight": numpy.arange(6, dtype=numpy.float32).reshape(2, 3),
        'layer."odd" \U0001f419': numpy.array(2.5, dtype=numpy.float32),
        "nothing": numpy.empty((0, 4), dtype=numpy.float32),
        "counts": numpy.array([-1, 7]),
        "precise": numpy.array([0.1]),
    }
    with safe_open(path, "numpy") as file:
        assert set(file.keys()) == set(expected), file.keys()
        for name, value in expected.items():
            found = file.get_tensor(name)
            assert found.dtype == value.dtype and found.shape == value.shape, (name, found.dtype, found.shape)
            assert numpy.array_equal(found, value), (name, found)
        metadata = file.metadata()
    wanted = {"format": "pt", "monitor": "val_loss", "value": "0.1", "epoch": "3", "global_step": "40"}
    assert metadata == wanted, metadata


def main():
    if sys.argv[1] == "--check":
        check(sys.argv[2])
        print("the Python package reads the best model")
        return
    from python_safetensors_test import environment_python

    writer, environment = sys.argv[1], pathlib.Path(sys.argv[2])
    python = environment_python(environment)
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([writer, directory], check=True)
        path = pathlib.Path(directory) / "best.safetensors"
        subprocess.run([str(python), __file__, "--check", str(path)], check=True)


if __name__ == "__main__":
    main()
