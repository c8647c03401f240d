"""Holds docs/checkpoint_format.md against the frozen checkpoints: runs its reader on them, and looks for every key.

    checkpoint_format_test.py PAGE FROZEN

Uses nothing but Python's own library.
"""

import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
NOTATIONS = ("$tensor", "$number", "$bytes", "$dict")


def references(value, found):
    """Names of tensors in the document; checks the notation on the way."""
    if isinstance(value, list):
        for item in value:
            references(item, found)
    elif isinstance(value, dict):
        special = [key for key in value if key.startswith("$")]
        if not special:
            for item in value.values():
                references(item, found)
            return
        (key,) = special
        assert key in NOTATIONS, key
        assert set(value) <= ({key, "dtype"} if key == "$tensor" else {key}), value
        if key == "$tensor" and value[key] is not None:
            found.append(value[key])
        elif key == "$number":
            assert value[key] in ("nan", "inf", "-inf"), value
        elif key == "$dict":
            for name, item in value[key]:
                references(name, found)
                references(item, found)


def main():
    page = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    frozen = pathlib.Path(sys.argv[2])
    blocks = re.findall(r"```(\w+)\n(.*?)```", page, flags=re.S)
    (example,) = (text for language, text in blocks if language == "json")
    assert set(json.loads(example)) == {"format_version", "callback_keys", "checkpoint"}
    (reader,) = (text for language, text in blocks if language == "python")
    names = {}
    exec(reader, names)
    mentioned = set(re.findall(r"`([^`\n]+)`", page))
    files = 0
    for path in sorted(frozen.glob("*.ckpt")):
        if b"grapnel.checksum" in path.read_bytes()[:200_000]:
            continue  # of the first builds
        files += 1
        document, tensors = names["read_checkpoint"](path)
        assert list(document)[0] == "format_version" and document["format_version"] == 1, path
        assert set(document) == {"format_version", "callback_keys", "checkpoint"}, path
        found = []
        references(document["checkpoint"], found)
        assert sorted(found) == sorted(tensors), (path, set(found) ^ set(tensors))
        if "state_dict" in document["checkpoint"]:
            unknown = set(document["checkpoint"]) - mentioned - {"MixedPrecision"}
            assert not unknown or path.stem == "values", (path, unknown)
    assert files >= 6, files
    print(f"the page's reader reads {files} files")


if __name__ == "__main__":
    main()
