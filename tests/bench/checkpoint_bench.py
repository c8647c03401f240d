"""Saving and loading checkpoints beside torch.save() and safetensors, in one run on one disk.

    python checkpoint_bench.py CHECKPOINT_BENCH [--directory DIR] [--mebibytes 256] [--rounds 5]

CHECKPOINT_BENCH is the program build/release/tests/bin/checkpoint_bench. Run it with a Python that has torch and
safetensors. Every save ends with fsync of the file; loads are from the page cache. The rounds of the two sides take
turns, so that a busy machine meets both alike.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time


def synced(save, path):
    temporary = path.with_suffix(".new")
    save(temporary)
    descriptor = os.open(temporary, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    os.rename(temporary, path)


def seconds(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--directory", default=".")
    parser.add_argument("--mebibytes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    import torch
    from safetensors.torch import load_file, save_file

    torch.set_num_threads(1)
    layers = max(options.mebibytes // 4, 1)
    model = {f"layer{i}.weight": torch.randn(1024, 1024) for i in range(layers)}
    times = {}
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        directory = pathlib.Path(name)
        theirs = {
            "torch.save": lambda: synced(lambda path: torch.save(model, path), directory / "a.pt"),
            "torch.load": lambda: torch.load(directory / "a.pt"),
            "safetensors save_file": lambda: synced(lambda path: save_file(model, path), directory / "a.safetensors"),
            # load_file() maps the file; the clones are what a model is given.
            "safetensors load_file": lambda: {k: v.clone() for k, v in load_file(directory / "a.safetensors").items()},
        }
        ours = []
        for _ in range(options.rounds):
            for what, action in theirs.items():
                times.setdefault(what, []).append(seconds(action))
            command = [options.program, str(directory), str(options.mebibytes), "3"]
            ours.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))

    def median(*path):
        values = []
        for result in ours:
            for key in path:
                result = result[key]
            values.append(result)
        return statistics.median(values)

    torch_save, torch_load = (statistics.median(times[what]) for what in ("torch.save", "torch.load"))
    rows = [(what + (" + fsync" if "save" in what else ""), statistics.median(values)) for what, values in times.items()]
    rows += [("grapnel save + fsync, with checksums", median("save", "median"))]
    rows += [("grapnel load, verified", median("load", "median"))]
    print(f"{layers * 4} MiB, median of {options.rounds} rounds{'':24}seconds  of torch's")
    for what, value in rows:
        print(f"  {what:<50}{value:8.3f}  {value / (torch_load if 'load' in what else torch_save):8.2f}")
    print(f"peak of memory, as a share of the model: {1 + median('save_peak'):.3f} saving (with the model itself), "
          f"{median('load_peak'):.3f} loading")
    stall = median("synchronous", "stall", "median")
    own = median("asynchronous", "stall", "median")
    beside = median("asynchronous", "batch_beside_a_save", "median") - median("asynchronous", "batch_without", "median")
    print(f"a training waits {stall * 1e3:.1f} ms for a synchronous save, {own * 1e3:.2f} ms "
          f"({100 * own / stall:.1f} %) for an asynchronous one; the batch beside it takes {beside * 1e3:.1f} ms more "
          f"than the {median('asynchronous', 'batch_without', 'median') * 1e3:.0f} ms of the others")


if __name__ == "__main__":
    main()
