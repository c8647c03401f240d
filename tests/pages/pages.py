#!/usr/bin/env python3
"""The code blocks of all pages (*.md): finds them, makes C++ sources of them, runs and checks the others.

  pages.py sources REPOSITORY OUTPUT     writes what CMake compiles; called when CMake configures
  pages.py check REPOSITORY BUILD CMAKE [FOLDER...]
                                         runs and checks everything else; commands in pages of the FOLDERs, which
                                         the build leaves out, name targets that it does not have
  pages.py output REPOSITORY BUILD PAGE TEST PROGRAM ARGUMENT...
                                         PROGRAM prints what the block "checked by TEST" shows

README.md describes the markers. A block that nothing here knows how to check is an error.
"""
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

MARKER = re.compile(r"<!--\s*(as|in|same as|checked by|not run):?\s*(.*?)\s*-->$")


class Block:
    def __init__(self, page, line, language, marker, text):
        self.page, self.line, self.language, self.text = page, line, language, text
        self.kind, self.argument = marker or ("", "")

    @property
    def place(self):
        return f"{self.page}:{self.line}"

    @property
    def name(self):
        return re.sub(r"\W", "_", self.page.removesuffix(".md")) + f"_{self.line}"


class Mistake(Exception):
    pass


def pages(repository):
    """Paths of the repository's pages, relative to it."""
    found = []
    for directory, folders, files in os.walk(repository):
        folders[:] = sorted(f for f in folders if f != "build" and not f.startswith("."))
        found += [os.path.relpath(os.path.join(directory, f), repository) for f in files if f.endswith(".md")]
    return sorted(found)


def blocks_of(page, text):
    """The fenced blocks of a page. A marker is the line above a fence."""
    blocks, before, block = [], "", None
    for number, line in enumerate(text.splitlines(), 1):
        if block is None and line.lstrip().startswith("```"):
            match = MARKER.fullmatch(before.strip())
            if before.strip().startswith("<!--") and not match:
                raise Mistake(f"{page}:{number - 1}: unknown marker: {before.strip()}")
            block = Block(page, number, line.strip()[3:].strip(), match.groups() if match else None, "")
        elif block is not None and line.strip() == "```":
            blocks.append(block)
            block = None
        elif block is not None:
            block.text += line + "\n"
        before = line
    if block is not None:
        raise Mistake(f"{block.place}: the block has no end")
    return blocks


def all_blocks(repository):
    return [block for page in pages(repository)
            for block in blocks_of(page, pathlib.Path(repository, page).read_text(encoding="utf-8"))]


# ---- C++ and CMake: sources for the build


def cpp_source(block, contexts):
    """A translation unit with the block in its own namespace, and a test that runs it."""
    includes = "".join(line + "\n" for line in block.text.splitlines() if line.startswith("#include"))
    body = "".join(line + "\n" for line in block.text.splitlines() if not line.startswith("#include"))
    body = f'#line {block.line + 1 + includes.count(chr(10))} "{block.page}"\n{body}'
    if block.kind == "in":
        context = contexts / f"{block.argument}.cpp"
        if not context.is_file():
            raise Mistake(f"{block.place}: there is no context {context}")
        above, below = context.read_text(encoding="utf-8").split("  // @block@\n")
        body = above + body + below
        includes += "".join(line + "\n" for line in above.splitlines() if line.startswith("#include"))
        body = "".join(line + "\n" for line in body.splitlines() if not line.startswith("#include"))
    elif "int main() {" in body:
        body = body.replace("int main() {", "void run() {")
    else:
        raise Mistake(f"{block.place}: neither a program nor a fragment with a context")
    return (f'{includes}#include "catch.h"\n#include "page_test.h"\n\nnamespace page_{block.name} {{\n\n{body}\n'
            f'TEST_CASE("the code at {block.place} runs") {{\n'
            f"  const grapnel::test::WorkingDirectory directory;\n  run();\n}}\n\n"
            f"}}  // namespace page_{block.name}\n")


def write_sources(repository, output):
    """OUTPUT/NAME.cpp of each C++ block, and OUTPUT/PAGE/FILE of those that are files of a project."""
    contexts = pathlib.Path(repository, "tests/pages/contexts")
    written = {}
    for block in all_blocks(repository):
        if block.kind == "as" and block.language in ("cpp", "cmake", "json"):
            written[pathlib.Path(re.sub(r"\W", "_", block.page.removesuffix(".md"))) / block.argument] = block.text
        elif block.language == "cpp" and block.kind in ("", "in"):
            written[pathlib.Path(block.name + ".cpp")] = cpp_source(block, contexts)
    for old in output.rglob("*"):
        if old.is_file() and old.relative_to(output) not in written:
            old.unlink()
    for path, text in written.items():
        file = output / path
        if not file.is_file() or file.read_text(encoding="utf-8") != text:  # keep the times of what is unchanged
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")


# ---- Checks


def without_comment(line):
    return re.sub(r"^\s*(//|#|\*)?", "", line).rstrip()


def dedented(lines):
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[indent:].rstrip() for line in lines]


def check_same(block, repository):
    """The block is a stretch of the file, whose lines may be comments."""
    file = pathlib.Path(repository, block.argument)
    if not file.is_file():
        raise Mistake(f"there is no {block.argument}")
    want = dedented(block.text.splitlines())
    for lines in (file.read_text(encoding="utf-8").splitlines(),
                  [without_comment(line) for line in file.read_text(encoding="utf-8").splitlines()]):
        for at in range(len(lines) - len(want) + 1):
            if dedented(lines[at:at + len(want)]) == want:
                return
    raise Mistake(f"it is not in {block.argument}")


class Commands:
    """Commands that a test must not run: what they name has to exist."""

    def __init__(self, repository, build, cmake):
        self.repository, self.build, self.cmake = repository, build, cmake
        tests = json.loads(subprocess.run(["ctest", "--show-only=json-v1"], cwd=build, check=True,
                                          capture_output=True).stdout)["tests"]
        self.tests = [test["name"] for test in tests]
        self.labels = {label for test in tests for entry in test.get("properties", [])
                       if entry["name"] == "LABELS" for label in entry["value"]}
        presets = json.loads(pathlib.Path(repository, "CMakePresets.json").read_text(encoding="utf-8"))
        self.presets = {preset["name"] for kind in ("configurePresets", "buildPresets", "testPresets")
                        for preset in presets[kind] if not preset.get("hidden")}
        self._targets = None

    def targets(self):
        if self._targets is None:
            text = subprocess.run([self.cmake, "--build", self.build, "--target", "help"], check=True,
                                  capture_output=True, text=True).stdout
            self._targets = {line.split(":")[0] for line in text.splitlines()}
        return self._targets

    def check(self, text):
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = words.index("&&") if "&&" in words else len(words)
                self.check_command(words[:end])
                words = words[end + 1:]

    def check_command(self, words):
        program, arguments = words[0], words[1:]
        if program == "bash":
            script = pathlib.Path(self.repository, arguments[0])
            subprocess.run(["bash", "-n", script], check=True)
        elif program.startswith("build/release/"):
            if os.path.basename(program) not in self.targets():
                raise Mistake(f"no target builds {program}")
        elif program not in ("cmake", "ctest", "grapnel-oracle"):
            raise Mistake(f"{program} is unknown here")
        for option, value in zip(arguments, arguments[1:] + [""]):
            if option == "--preset" and value not in self.presets:
                raise Mistake(f"there is no preset '{value}'")
            if option == "--target" and value not in self.targets():
                raise Mistake(f"there is no target '{value}'")
            if program == "ctest" and option == "-L" and value not in self.labels:
                raise Mistake(f"no test has the label '{value}'")
            if program == "ctest" and option == "-R" and not any(re.search(value, test) for test in self.tests):
                raise Mistake(f"no test's name matches '{value}'")
            if "/" in option and not option.startswith(("-", "build/")) and \
                    not pathlib.Path(self.repository, option).exists():
                raise Mistake(f"there is no {option}")


def run_shell(block, directory, environment):
    """Runs a block in the page's directory; each command has to succeed."""
    result = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], cwd=directory, env=environment,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        raise Mistake(f"exit code {result.returncode}; it printed:\n{result.stdout}")


def scratch(repository, build, page, root):
    """A directory that looks like the repository with its build, in which a page's commands may write."""
    directory = root / re.sub(r"\W", "_", page)
    if not directory.exists():
        (directory / "build").mkdir(parents=True)
        for entry in os.listdir(repository):
            if entry != "build" and not entry.startswith("."):
                (directory / entry).symlink_to(pathlib.Path(repository, entry))
        (directory / "build/release").symlink_to(build)
    return directory


def check_block(block, blocks, repository, commands, root, environment):
    kind, language = block.kind, block.language
    if kind == "same as":
        check_same(block, repository)
    elif kind == "checked by":
        if block.argument not in commands.tests:
            raise Mistake(f"there is no test '{block.argument}'")
    elif kind == "not run" and language == "sh":
        commands.check(block.text)
    elif language == "cpp" and kind in ("", "in", "as") or language == "cmake" and kind == "as":
        pass  # built, and run, by pages_tests
    elif language == "json" and kind == "as":
        json.loads(block.text)
        directory = scratch(repository, commands.build, block.page, root)
        (directory / block.argument).write_text(block.text, encoding="utf-8")
        used = any(other.page == block.page and other.language == "sh" and other.kind == "" and
                   block.argument in other.text and other.line > block.line for other in blocks)
        if not used and block.argument != "plugin.json":
            raise Mistake(f"no command of the page uses '{block.argument}'")
    elif language == "sh" and kind == "":
        run_shell(block, scratch(repository, commands.build, block.page, root), environment)
    else:
        raise Mistake(f"a block '{language}' with the marker '{kind}' is not one that is checked: "
                      "see tests/pages/README.md")


def check_links(page, repository):
    text = pathlib.Path(repository, page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"[a-z]+:", target) and not pathlib.Path(repository, page).parent.joinpath(target).exists():
            raise Mistake(f"it links to {target}, which is not there")


def check(repository, build, cmake, *left_out):
    commands = Commands(repository, build, cmake)
    failures = 0
    with tempfile.TemporaryDirectory(prefix="grapnel-test-") as name:
        root = pathlib.Path(name).resolve()
        environment = dict(os.environ, HOME=str(root / "home"), XDG_CONFIG_HOME=str(root / "config"),
                           XDG_DATA_HOME=str(root / "data"), XDG_CACHE_HOME=str(root / "cache"))
        for variable in ("GRAPNEL_PLUGINS", "GRAPNEL_PLUGIN_PATH"):
            environment.pop(variable, None)
        # Pages with their blocks in order: later ones need what earlier ones leave.
        for page in pages(repository):
            try:
                check_links(page, repository)
            except Mistake as mistake:
                print(f"FAIL {page}: {mistake}")
                failures += 1
        blocks = all_blocks(repository)
        for block in blocks:
            if block.kind == "not run" and any(block.page.startswith(folder + "/") for folder in left_out):
                print(f"-    {block.place} {block.language} {block.kind}: not in this build")
                continue
            try:
                check_block(block, blocks, repository, commands, root, environment)
                print(f"ok   {block.place} {block.language} {block.kind}")
            except (Mistake, subprocess.CalledProcessError, json.JSONDecodeError) as mistake:
                print(f"FAIL {block.place}: {mistake}")
                failures += 1
    return failures


# ---- What a program prints


def blurred(text):
    """Without what differs from run to run: numbers with a fraction, times, where the build is, and what a loaded
    machine adds."""
    text = re.sub(r"(?<=[(' ])/[^ ']*/build/", "build/", text)
    text = re.sub(r"^grapnel: warning: plugin '.*' .* took \d+% of the run.*\n", "", text, flags=re.M)
    return [re.sub(r"\d+\.\d+|\d\d:\d\d", "#", line.rstrip()) for line in text.splitlines()]


def differing_line(block, printed):
    """The first line of the block that was not printed; None when it is all there. "..." are any lines."""
    want, got = blurred(block.text), blurred(printed.lstrip("\n"))
    if want[0].startswith("$ "):
        if want[0] in got:  # one of several commands: what comes before is another block's
            got = got[got.index(want[0]):]
        else:
            want = want[1:]
    text = "".join(line + "\n" for line in got)
    pattern = ""
    for line in want:
        pattern += r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n"
        if not re.match(pattern, text):
            return line
    return None if re.fullmatch(pattern, text) else want[-1]


def check_output(repository, build, pages_with_it, test, command):
    """Runs the command once, for one block of each page (PAGE,PAGE)."""
    with tempfile.TemporaryDirectory(prefix="grapnel-test-") as root:
        directory = scratch(repository, build, test, pathlib.Path(root).resolve())
        result = subprocess.run(command, cwd=directory, env=dict(os.environ, LC_ALL="C.UTF-8"), text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        raise Mistake(f"exit code {result.returncode}; it printed:\n{result.stdout}")
    for page in pages_with_it.split(","):
        blocks = [block for block in all_blocks(repository)
                  if (block.page, block.kind, block.argument) == (page, "checked by", test)]
        if len(blocks) != 1:
            raise Mistake(f"{page}: {len(blocks)} blocks are checked by {test}")
        line = differing_line(blocks[0], result.stdout)
        if line is not None:
            raise Mistake(f"{blocks[0].place}: '{line}' was not printed there, but:\n{result.stdout}")


def main(arguments):
    if arguments[:1] == ["sources"]:
        write_sources(arguments[1], pathlib.Path(arguments[2]))
        return 0
    if arguments[:1] == ["check"]:
        return 1 if check(*arguments[1:]) else 0
    if arguments[:1] == ["output"]:
        check_output(*arguments[1:5], arguments[5:])
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Mistake as mistake:
        sys.exit(str(mistake))
